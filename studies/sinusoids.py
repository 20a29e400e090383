"""Sinusoids over a network, as MAML, ANIL and iMAML: `python -m studies.sinusoids [--out FOLDER] [--quick]`.

Eight agents on a ring, each with sinusoids of its own eighth of all phases, learn one network that adapts to any of
them. Written are a row for every form, seed and observed round (sinusoids.csv) and the figure (sinusoids.png).
"""

import argparse
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from benchmarks.timing import report
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from PIL import Image

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.figures.histories import by_seed, spread
from hypergossip.metrics.observations import observations
from hypergossip.problems import sinusoids
from hypergossip.problems.sinusoids import INPUTS, Network, Tasks, adaptation, held_out
from hypergossip.running.run import begin

FOLDER = Path(__file__).parents[1] / "docs"
AGENTS, SEEDS, ROUNDS = 8, (0, 1, 2), 3000
LOOKS = (0, 25, 50, *range(100, ROUNDS + 1, 100))
GREY = "#9a9a9a"
LIMITS = (0.45, 9.5)  # of the errors
ERRORS = ("adapted_error", "unadapted_error")


class Setting(NamedTuple):
    """How one form is learned.

    Attributes:
        title: In the figure.
        options: Of `sinusoids`, its form among them.
        algorithm: The method with its steps.
        alone: Does no agent talk to any other?
    """

    title: str
    options: dict[str, Any]
    algorithm: Any
    alone: bool = False


SETTINGS = {
    "maml": Setting("MAML", {"form": "maml"}, hg.DifMAML(0.007, 0.001)),
    "anil": Setting("ANIL", {"form": "anil"}, hg.DifMAML(0.005, 0.0015)),
    "imaml": Setting(
        "iMAML",
        {"form": "imaml", "proximity": 250.0},
        hg.ALSET(hg.PowerDecay(0.04, 400, 1 / 2), 4e-5, 5, hg.ConjugateGradient(6, 1e-3)),
    ),
    "alone": Setting("MAML, every agent alone", {"form": "maml"}, hg.DifMAML(0.005, 0.001), alone=True),
}
SMALL = {"tasks": 3, "shots": 5, "widths": (8, 8), "held_out_tasks": 10}  # to see that it runs


class Fit(NamedTuple):
    """A held-out sinusoid and what a network makes of it.

    Attributes:
        inputs: (points,).
        truth: (points,) the sinusoid.
        before: (points,) the network that the agents agreed on.
        after: (points,) the same network, adapted to the shots.
        shots: Inputs and outputs, (2, shots).
    """

    inputs: np.ndarray
    truth: np.ndarray
    before: np.ndarray
    after: np.ndarray
    shots: np.ndarray


def by_itself(problem: hg.Problem) -> Iterator[hg.Problem]:
    """Yields every agent's part of a problem as a problem of one agent."""
    start = {"x0": problem.upper.unravel(problem.x0), "y0": problem.lower.unravel(problem.y0)}
    for i in range(problem.agents):
        own = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], problem.oracles)
        yield hg.Problem.from_oracles(own, observe=problem.observe, **start)


def run(setting: Setting, problem: hg.Problem, looks: Sequence[int]) -> tuple[pd.DataFrame, Any]:
    """Runs one form, without the bilevel metrics, which are not what meta-learning is judged by.

    Args:
        setting: The form.
        problem: Its problem.
        looks: The rounds that are observed, increasing.

    Returns:
        One row an observed round (mean over the agents), and the network of the first agent at the end.
    """
    if setting.alone:
        parts = [run(setting._replace(alone=False), part, looks) for part in by_itself(problem)]
        return sum(table for table, _ in parts) / len(parts), parts[0][1]
    network = hg.networks.ring(problem.agents) if problem.agents > 1 else hg.networks.single()
    opened, carry = begin(hg.Simulated(), setting.algorithm, False, problem, network, np.array([0]), None)
    state, done, rows = carry.state, 0, []
    for look in looks:
        state, _ = opened.session.advance(state, done, look)
        done = look
        seen = observations(tuple(problem.observe.items()), problem.upper, problem.lower, state.x, state.y)
        rows.append({"round": look} | {name: float(value[0]) for name, value in seen.items()})
    return pd.DataFrame(rows), problem.upper.unravel(state.x[0, 0])


def fitted(setting: Setting, x: Any, options: dict[str, Any], seed: int, place: int) -> Fit:
    """Returns what a network makes of one held-out sinusoid."""
    tasks, support, _ = held_out(options.get("held_out_tasks", 100), options.get("shots", 10), seed)
    shots = {name: jnp.asarray(leaf[:, place], float) for name, leaf in support.items()}
    adapting = adaptation(**setting.options)
    inputs = np.linspace(*INPUTS, 200)
    predict = jax.jit(lambda parameters: Network("tanh").predict(parameters, jnp.asarray(inputs, float)))
    after = adapting.displaced(x, adapting.adapt(x, shots))
    truth = Tasks(tasks.amplitude[[place]], tasks.phase[[place]]).values(inputs[:, None])[:, 0]
    given = np.stack([shots["inputs"], shots["outputs"]])
    return Fit(inputs, truth, np.asarray(predict(x)), np.asarray(predict(after)), given)


def typical(setting: Setting, x: Any, options: dict[str, Any], seed: int) -> int:
    """Returns the held-out task of the median error after adaptation."""
    _, support, query = held_out(options.get("held_out_tasks", 100), options.get("shots", 10), seed)
    adapting = adaptation(**setting.options)

    def error(support: Any, query: Any) -> Any:
        return adapting.error(adapting.displaced(x, adapting.adapt(x, support)), query)

    as_arrays = lambda shots: {name: jnp.asarray(leaf, float) for name, leaf in shots.items()}
    errors = np.asarray(jax.vmap(error, (1, 1))(as_arrays(support), as_arrays(query)))
    return int(np.argsort(errors)[len(errors) // 2])


def measure(quick: bool = False) -> tuple[pd.DataFrame, dict[str, Fit]]:
    """Runs every form on every seed.

    Args:
        quick: A few rounds of a small network on one seed.

    Returns:
        The errors, one row a form, seed and observed round, with the seconds that the form took; and what the first
        seed's networks make of the held-out sinusoid that MAML fits with its median error.
    """
    seeds, looks, small = (SEEDS[:1], (0, 10, 20), SMALL) if quick else (SEEDS, LOOKS, {})
    tables, fits, place = [], {}, 0
    for name, setting in SETTINGS.items():
        for seed in seeds:
            begun = time.perf_counter()
            problem = sinusoids(AGENTS, heterogeneity="phase", seed=seed, **setting.options, **small)
            table, x = run(setting, problem, looks)
            seconds = time.perf_counter() - begun
            tables.append(table.assign(form=name, seed=seed, seconds=seconds))
            print(f"{name}, seed {seed}: {seconds:.0f} s", flush=True)
            if seed == seeds[0] and not setting.alone:
                place = typical(setting, x, small, seed) if name == "maml" else place
                fits[name] = fitted(setting, x, small, seed, place)
    whole = pd.concat(tables, ignore_index=True).astype({"round": int})
    return whole[["form", "seed", "round", *ERRORS, "seconds"]], fits


def draw(table: pd.DataFrame, fits: dict[str, Fit]) -> Figure:
    """Draws the errors against the rounds, after and before adaptation, above one sinusoid as every form fits it."""
    figure = style.blank(7.0, 5.0)
    cells = figure.add_gridspec(2, 6, height_ratios=(1.3, 1))
    after = figure.add_subplot(cells[0, :4])
    before = figure.add_subplot(cells[0, 4:], sharey=after)
    last = int(table["round"].max())
    for axes, column, title, ticks in (
        (after, ERRORS[0], "after adapting", 7),
        (before, ERRORS[1], "before adapting", 3),
    ):
        for place, (name, setting) in enumerate(SETTINGS.items()):
            _curve(axes, table[table["form"] == name], column, place, setting)
        axes.set_title(title)
        axes.set_xlim(0, last)
        axes.set_xticks(np.linspace(0, last, ticks))
        axes.set_xlabel("communication rounds")
    after.set_ylabel("held-out mean squared error")
    after.set_yscale("log")
    after.set_ylim(*LIMITS)
    after.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    after.yaxis.set_minor_locator(NullLocator())
    before.tick_params(labelleft=False)
    figure.legend(*after.get_legend_handles_labels(), loc="outside upper center", ncols=4, handlelength=2.2)
    first = figure.add_subplot(cells[1, :2])
    panels = [first, *(figure.add_subplot(cells[1, k : k + 2], sharey=first) for k in (2, 4))]
    for place, (axes, (name, fit)) in enumerate(zip(panels, fits.items(), strict=True)):
        _fit(axes, fit, style.COLOURS[place])
        axes.set_title(SETTINGS[name].title)
        axes.set_xlabel("input")
        axes.tick_params(labelleft=axes is first)
    first.set_ylabel("output")
    figure.legend(handles=_key(), loc="outside lower center", ncols=4, fontsize=style.SMALL)
    return figure


def _key() -> list[Line2D]:
    """Returns what the lines of the lower panels are."""
    return [
        Line2D([], [], color=style.INK, linewidth=0.9, label="a held-out sinusoid"),
        Line2D([], [], color=style.INK, marker="o", markersize=4, linestyle="none", label="its ten shots"),
        Line2D([], [], color=style.FAINT, linestyle="--", label="the network before adapting"),
        Line2D([], [], color=style.FAINT, linewidth=2, label="after adapting"),
    ]


def _curve(axes: Axes, rows: pd.DataFrame, column: str, place: int, setting: Setting) -> None:
    """Draws a form's median over the seeds, and all of them as a band."""
    seeds = by_seed(rows, column)
    median, low, high = spread(seeds.to_numpy())
    colour = GREY if setting.alone else style.COLOURS[place]
    dashes = "--" if setting.alone else "-"
    axes.plot(seeds.index, median, dashes, color=colour, label=setting.title, zorder=3)
    axes.fill_between(seeds.index, low, high, color=colour, alpha=0.18, linewidth=0)


def _fit(axes: Axes, fit: Fit, colour: str) -> None:
    axes.plot(fit.inputs, fit.truth, color=style.INK, linewidth=0.9, zorder=3)
    axes.plot(fit.inputs, fit.before, "--", color=colour, zorder=2)
    axes.plot(fit.inputs, fit.after, color=colour, linewidth=2, zorder=2)
    axes.plot(*fit.shots, "o", color=style.INK, markersize=4, zorder=4)
    axes.set_xlim(*INPUTS)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.sinusoids", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where to write (docs)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {jax.devices()[0].device_kind}")
    table, fits = measure(given.quick)
    given.out.mkdir(parents=True, exist_ok=True)
    table.drop(columns="seconds").to_csv(
        given.out / "sinusoids.csv", index=False, float_format="%.4g", lineterminator="\n"
    )
    with style.look():
        path = style.write(draw(table, fits), given.out / "images" / "sinusoids.png")
    with Image.open(path) as picture:  # few colours: a third of the bytes
        few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    ends = table[table["round"] == table["round"].max()].groupby("form", sort=False)[list(ERRORS)].median()
    rows = [
        (SETTINGS[str(form)].title, f"{row.iloc[0]:.3f} adapted, {row.iloc[1]:.3f} not")
        for form, row in ends.iterrows()
    ]
    report("held-out error at the end, median over the seeds", rows)
    cpu = f"{time.process_time():.0f} s of processor time"
    report("cost", [("all runs", f"{table.groupby(['form', 'seed'])['seconds'].first().sum():.0f} s"), ("cpu", cpu)])


if __name__ == "__main__":
    main()
