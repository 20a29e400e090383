"""Compares methods on traffic signals: `python -m studies.traffic [--quick] [--nets grid4x4 cologne3] [--out FOLDER]`.

Signals learn by SLAM-AC, DAC, MDAC and independently, over the graph of their roads. Fixed-time signals run the
programs of the road network. SUMO's own measures of the same test episodes are written against environment steps, with
a page (index.html), the maps coloured by the waiting time, and an animation. It needs the extras "traffic" and "lab".
"""

import argparse
import html
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hypergossip.figures import style
from hypergossip.problems.actor_critic import TrafficMeasures, traffic_graph
from studies.traffic.figures import FIXED, animate, curves, maps
from studies.traffic.learning import METHODS, Learned, Task, fixed_times, learn, means

NETS = ("grid4x4", "cologne3")
QUICK = {"seconds": 600, "steps": 3_600, "looks": 3, "episodes": 2, "tests": 1, "widths": (32,)}
QUICK_NETS = ("cologne3",)
COLUMNS = {"waiting": "waiting time [s]", "queue": "vehicles that wait", "outside": "vehicles outside"}


def by_signal(measures: Sequence[TrafficMeasures], order: Sequence[str]) -> np.ndarray:
    """Returns the mean waiting time before every signal over episodes, in this order of the signals, (signals,)."""
    place = {name: k for k, name in enumerate(measures[0].signals)}
    mean = np.mean([one.signal_waiting for one in measures], axis=0)
    return mean[[place[name] for name in order]]


def study(task: Task, seeds: int, folder: Path) -> pd.DataFrame:
    """Runs all methods on one road network, writes its files, and returns the final measures.

    Args:
        task: What is learned.
        seeds: The number of seeds.
        folder: The folder of the files.

    Returns:
        A row for every method with the medians over the seeds at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fixed = fixed_times(task)
    print(f"{task.net}: fixed times wait {means(fixed)['waiting']:.1f} s", flush=True)
    learned: dict[str, list[Learned]] = {}
    for name, method in METHODS.items():
        say = partial(print, f"{task.net} {name:12}", flush=True)
        learned[name] = [learn(task, method, seed, say) for seed in range(seeds)]
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
    last = rows.groupby(["method", "seed"], sort=False).last().groupby("method", sort=False)
    table = last[list(means(fixed))].median()
    table.loc[FIXED] = means(fixed)
    return table


def page(tables: dict[str, pd.DataFrame], tasks: dict[str, Task], seeds: int, seconds: float) -> str:
    """Returns the page with all results.

    Args:
        tables: Road network -> the final measures of every method.
        tasks: Road network -> what was learned.
        seeds: The number of seeds.
        seconds: How long it took.
    """
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>Traffic signals</title>"]
    parts.append("<style>body{max-width:60em;margin:2em auto;font-family:sans-serif}img{max-width:100%}</style>")
    parts.append("<h1>Traffic signals</h1>")
    for net, table in tables.items():
        task = tasks[net]
        shown = table.rename(
            columns={"waiting": "waiting time [s]", "queue": "vehicles that wait", "outside": "outside"}
        )
        parts += [
            f"<h2>{html.escape(net)}</h2>",
            f"<p>Episodes of {task.seconds} s, a decision every {task.decision} s, {task.steps:,} environment steps of "
            f"each method, seeds: {seeds}. The measures are SUMO's, in {task.tests} test episodes: the mean waiting "
            "time of a vehicle, and the mean numbers of vehicles that wait in the network and outside it.</p>",
            shown.to_html(float_format="%.1f"),
            f"<img src='{net}/curves.png' alt='Waiting time and queue against environment steps'>",
            f"<img src='{net}/map.png' alt='Maps coloured by the waiting time before every signal'>",
            f"<img src='{net}/animation.gif' alt='Queues in an episode of SLAM-AC'>",
        ]
    return "\n".join([*parts, f"<p>This took {seconds / 60:.1f} minutes.</p></html>"])


def main() -> None:
    """Runs the study and prints the final measures."""
    parser = argparse.ArgumentParser(prog="python -m studies.traffic", description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a run of a few minutes, which learns little")
    parser.add_argument("--nets", nargs="+", help="road networks of RESCO")
    parser.add_argument("--seeds", type=int, help="the number of seeds")
    parser.add_argument("--steps", type=int, help="the environment steps of every method")
    parser.add_argument("--workers", type=int, help="the simulations that are played at once; all cores if not given")
    parser.add_argument("--out", type=Path, default=Path("runs/traffic-signals"), help="the folder of the results")
    given = parser.parse_args()
    nets = given.nets or (QUICK_NETS if given.quick else NETS)
    changes = {**(QUICK if given.quick else {}), **({"steps": given.steps} if given.steps else {})}
    seeds = given.seeds or (1 if given.quick else 5)
    begun, tables = time.monotonic(), {}
    tasks = {net: Task(net, workers=given.workers, **changes) for net in nets}
    for net, task in tasks.items():
        tables[net] = study(task, seeds, given.out / net)
        print(f"\n{net}\n{tables[net].round(1).to_string()}\n", flush=True)
        text = page(tables, tasks, seeds, time.monotonic() - begun)
        (given.out / "index.html").write_text(text, encoding="utf-8")
    print(f"{given.out / 'index.html'}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
