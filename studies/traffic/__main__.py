"""Compares methods on traffic signals: `python -m studies.traffic [--quick] [--nets grid4x4 cologne3] [--out FOLDER]`.

Signals learn by SLAM-AC, DAC, MDAC and independently, over the graph of their roads. Fixed-time signals run the
programs of the road network. SUMO's own measures of the same test episodes are written against environment steps, with
a page (index.md and index.html), the maps coloured by the waiting time, and an animation. Every run is kept as it ends,
and the same command goes on after an interruption. It needs the extras "traffic" and "lab".
"""

import argparse
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hypergossip.figures import style
from hypergossip.lab.experiments.folder import machine
from hypergossip.lab.report import formatting
from hypergossip.lab.report.markup import to_html
from hypergossip.problems.actor_critic import TrafficMeasures, traffic_graph
from studies.traffic.figures import FIXED, animate, curves, maps
from studies.traffic.learning import METHODS, Learned, Task, fixed_times, kept_run, means

NETS = ("grid4x4", "cologne3")
QUICK = {"seconds": 600, "steps": 3_600, "looks": 3, "episodes": 2, "tests": 1, "widths": (32,)}
QUICK_NETS = ("cologne3",)
COLUMNS = {"waiting": "waiting time [s]", "queue": "vehicles that wait", "outside": "vehicles outside"}
HTML = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Traffic signals</title>
<style>body{{max-width:60em;margin:2em auto;font-family:sans-serif}}img{{max-width:100%}}</style>
{}</html>
"""


def by_signal(measures: Sequence[TrafficMeasures], order: Sequence[str]) -> np.ndarray:
    """Returns the mean waiting time before every signal over episodes, in this order of the signals, (signals,)."""
    place = {name: k for k, name in enumerate(measures[0].signals)}
    mean = np.mean([one.signal_waiting for one in measures], axis=0)
    return mean[[place[name] for name in order]]


def study(task: Task, seeds: int, folder: Path) -> tuple[pd.DataFrame, float]:
    """Runs all methods on one road network, and writes its files. Runs that are kept there are not repeated.

    Args:
        task: What is learned.
        seeds: The number of seeds.
        folder: The folder of the files.

    Returns:
        A row for every method with the measures at the end, as text, and the seconds of all runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fixed = fixed_times(task)
    print(f"{task.net}: fixed times wait {means(fixed)['waiting']:.1f} s", flush=True)
    learned: dict[str, list[Learned]] = {}
    for name, method in METHODS.items():
        say = partial(print, f"{task.net} {name:12}", flush=True)
        learned[name] = [
            kept_run(task, method, seed, folder / "runs" / f"{name}-{seed}.json", say) for seed in range(seeds)
        ]
    parts = [one.rows.assign(method=name, seed=seed) for name, runs in learned.items() for seed, one in enumerate(runs)]
    rows = pd.concat(parts, ignore_index=True)
    rows.to_csv(folder / "measures.csv", index=False)
    graph = traffic_graph(task.net)
    order = list(graph.nodes)
    waiting = {name: by_signal(runs[0].final, order) for name, runs in learned.items()}
    with style.look():
        curves(rows, means(fixed)).savefig(folder / "curves.png")
        maps(graph, {**waiting, FIXED: by_signal(fixed, order)}).savefig(folder / "map.png")
        place = [fixed[0].signals.index(name) for name in order]
        animate(graph, learned["SLAM-AC"][0].queues[:, place], task.decision, folder / "animation.gif")
    return final(rows, means(fixed)), float(rows.groupby(["method", "seed"])["seconds"].last().sum())


def final(rows: pd.DataFrame, fixed: dict[str, float]) -> pd.DataFrame:
    """Returns the measures at the end, as text: the median, and all seeds in brackets.

    Args:
        rows: One row for every method, seed and look.
        fixed: The measures of fixed-time signals.
    """
    last = rows.groupby(["method", "seed"], sort=False).last().groupby("method", sort=False)
    told = lambda values: f"{values.median():.1f} ({', '.join(f'{value:.1f}' for value in sorted(values))})"
    table = last[list(fixed)].agg(told)
    table.loc[FIXED] = {name: f"{value:.1f}" for name, value in fixed.items()}
    return table


def page(tables: dict[str, pd.DataFrame], tasks: dict[str, Task], seeds: int, seconds: float) -> str:
    """Returns the page with all results, in Markdown.

    Args:
        tables: Road network -> the final measures of every method.
        tasks: Road network -> what was learned.
        seeds: The number of seeds.
        seconds: How long all runs took together.
    """
    lines = [
        *("# Traffic signals", "", f"Written by `python -m studies.traffic` on {date.today()}; {machine()}.", ""),
        "Every signal of a road network of RESCO is an agent. SLAM-AC, DAC and MDAC learn one critic over the graph of "
        "the roads and a policy for each signal; independent learners have critics of their own; fixed-time signals "
        "run the programs of the road network. All learners use natural gradients with steps of a fixed length, "
        "normalized advantages and Gauss-Newton steps of the critic, with the same numbers, chosen in trials with "
        "SLAM-AC. The reward is the decrease of the waiting time before the signal. The measures are SUMO's: the mean "
        "waiting time of a vehicle, and the mean numbers of vehicles that wait in the network and outside it, because "
        "the first road is full. Entries are medians over the seeds at the end, with all seeds in brackets.",
        "",
    ]
    for net, table in tables.items():
        task = tasks[net]
        rows = [[method, *map(str, row)] for method, row in zip(table.index, table.to_numpy(), strict=True)]
        lines += [
            *(f"## {net}", ""),
            f"Episodes of {task.seconds} s, a decision every {task.decision} s, samples of {task.episodes} episodes, "
            f"{task.steps:,} environment steps of each method, {_counted(seeds, 'seed')}, "
            f"{_counted(task.tests, 'test episode')}, the same for all.",
            "",
            *(*formatting.markdown(["method", *COLUMNS.values()], rows), ""),
            *(f"![Waiting time and queue against environment steps]({net}/curves.png)", ""),
            *(f"![Maps coloured by the waiting time before every signal]({net}/map.png)", ""),
            *(f"![Queues in an episode of SLAM-AC]({net}/animation.gif)", ""),
        ]
    return "\n".join([*lines, f"All runs together took {_counted(round(seconds / 60), 'minute')}."]) + "\n"


def _counted(number: int, what: str) -> str:
    """Returns a number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def main() -> None:
    """Runs the study and prints the final measures."""
    parser = argparse.ArgumentParser(prog="python -m studies.traffic", description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a run of a few minutes, which learns little")
    parser.add_argument("--nets", nargs="+", help="road networks of RESCO")
    parser.add_argument("--seeds", type=int, help="the number of seeds")
    parser.add_argument("--steps", type=int, help="the environment steps of every method")
    parser.add_argument(
        "--workers", type=int, help="the simulations that are played at once; two for each core if not given"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/traffic-signals"), help="the folder of the results")
    given = parser.parse_args()
    nets = given.nets or (QUICK_NETS if given.quick else NETS)
    changes = {**(QUICK if given.quick else {}), **({"steps": given.steps} if given.steps else {})}
    seeds = given.seeds or (1 if given.quick else 5)
    begun, spent, tables = time.monotonic(), 0.0, {}
    tasks = {net: Task(net, workers=given.workers, **changes) for net in nets}
    for net, task in tasks.items():
        tables[net], seconds = study(task, seeds, given.out / net)
        spent += seconds
        print(f"\n{net}\n{tables[net].to_string()}\n", flush=True)
        text = page(tables, tasks, seeds, spent)
        (given.out / "index.md").write_text(text, encoding="utf-8")
        (given.out / "index.html").write_text(HTML.format(to_html(text)), encoding="utf-8")
    print(f"{given.out / 'index.html'}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
