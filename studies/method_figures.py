"""The figures of the methods' pages: `python -m studies.method_figures [NAMES] [--out FOLDER]`.

Every method runs on `problems.quadratic` with the numbers that its page states, read from the page's own TOML lines,
ten seeds with noise and without; a rival with the numbers of its own page is drawn in grey. All figures have one scale.
"""

import argparse
import functools
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.figures.histories import Spread, by_seed, spread
from hypergossip.lab.build import Experiment, build
from hypergossip.lab.configuration import Raw, Source, validate
from studies.theory.common import column

PAGES = Path(__file__).parents[1] / "docs" / "methods"
ROUNDS, EVERY, SEEDS = 320, 4, 10
LIMITS = (1e-6, 3e1)
LONGEST_LABEL = len("SVR-INTERACT, no noise")  # with the legend's usual spacing
GREY, WIDE = "#b4b4b4", 2.8  # a rival that does the same still shows on both sides of the line

LINES: tuple[tuple[float | None, style.Dashes], ...] = ((None, "-"), (0.0, "--"))  # noise: the world's, or none

NOISY: Raw = {"name": "quadratic", "heterogeneity": 0.2, "noise": 0.3}
WORLDS: dict[str, Raw] = {
    "ring": {"problem": NOISY, "network": {"name": "ring", "n": 8}},
    "directed": {
        "problem": NOISY,
        "network": {
            "name": "from_edges",
            "n": 8,
            "edges": [*([i, (i + 1) % 8] for i in range(8)), [0, 4], [6, 2]],
            "directed": True,
        },
    },
    "one agent": {"problem": NOISY, "network": {"name": "single"}},
    "shared": {
        "problem": {"name": "quadratic", "heterogeneity": 1.0, "noise": 0.1, "share": "both"},
        "network": {"name": "ring", "n": 8},
    },
    "shared, lazy": {
        "problem": {"name": "quadratic", "heterogeneity": 1.0, "noise": 0.1, "share": "both"},
        "network": {"name": "ring", "n": 8, "weights": "lazy-metropolis"},
    },
    "shared, directed": {
        "problem": {"name": "quadratic", "heterogeneity": 1.0, "noise": 0.1, "share": "both"},
        "network": {
            "name": "from_edges",
            "n": 8,
            "edges": [*([i, (i + 1) % 8] for i in range(8)), [0, 4], [6, 2]],
            "directed": True,
        },
    },
    "equal curvatures": {
        "problem": {**NOISY, "curvature_heterogeneity": 0.0, "share": "both"},
        "network": {"name": "ring", "n": 8},
    },
    "x personal": {
        "problem": {**NOISY, "curvature_heterogeneity": 0.0, "share": "lower"},
        "network": {"name": "ring", "n": 8},
    },
}
# Of an actor-critic's page: `quadratic` is none, and its hypergradient not dx f alone.
IN_PLACE_OF_DIRECT: Raw = {"name": "conjugate_gradient", "iterations": 10}


class Setting(NamedTuple):
    """What a page's figure shows.

    Attributes:
        world: A name of `WORLDS`.
        rival: The page of the method in grey.
        rivals_world: Where it runs, a name of `WORLDS`, if it cannot run where the page's method does.
    """

    world: str
    rival: str = "dsgd"
    rivals_world: str | None = None


SETTINGS = {
    "dsgd": Setting("ring", "gtsgd"),
    "gtsgd": Setting("ring"),
    "gtsgd_push_pull": Setting("directed", "gtsgd", "ring"),
    "msgd": Setting("ring"),
    "diamond": Setting("ring"),
    "interact": Setting("ring"),
    "svr_interact": Setting("ring"),
    "slam": Setting("ring"),
    "dif_maml": Setting("ring"),
    "slam_tracked": Setting("shared", "slam"),
    "sparkle": Setting("shared", "slam_tracked"),
    "dsoba": Setting("shared", "sparkle"),
    "ada_sdbo": Setting("shared", "dsoba"),
    "sldbo": Setting("shared", "sparkle"),
    "s3ldbo": Setting("shared", "sldbo"),
    "sldbo_push_pull": Setting("shared, directed", "fab"),
    "lopa": Setting("ring", "lopa_gt"),
    "lopa_gt": Setting("ring", "diamond"),
    "duet": Setting("ring", "lopa_gt"),
    "dac": Setting("x personal", "slam"),
    "cac": Setting("equal curvatures", "slam"),
    "mdac": Setting("equal curvatures", "cac"),
    "mdbo": Setting("shared, lazy", "slam_tracked"),
    "vrdbo": Setting("shared, lazy", "mdbo"),
    "dsgda_gt": Setting("shared, lazy", "slam_tracked"),
    "fab": Setting("shared, directed", "dsgda_gt", "shared, lazy"),
    "c2dfb": Setting("shared, lazy", "dsgda_gt"),
    "sun_dsbo": Setting("shared, lazy", "slam_tracked"),
    "sun_dsbo_se": Setting("shared, lazy", "sun_dsbo"),
    "ma_dsbo": Setting("shared, lazy", "slam_tracked"),
    "alset": Setting("one agent"),
    "ttsa": Setting("one agent"),
    "bsa": Setting("one agent", "alset"),
    "stocbio": Setting("one agent"),
    "aid_bio": Setting("one agent"),
    "itd_bio": Setting("one agent", "aid_bio"),
    "soba": Setting("one agent"),
    "stable": Setting("one agent"),
    "sustain": Setting("one agent"),
    "mrbo": Setting("one agent"),
    "rsvrb": Setting("one agent"),
    "vr_biadam": Setting("one agent"),
}


def experiment(page: str, world: str, noise: float | None = None) -> Experiment:
    """Builds what a page's TOML lines say, on one of the worlds.

    Args:
        page: The method's name in the registry.
        world: A name of `WORLDS`.
        noise: In place of the world's own.

    Returns:
        The experiment, whose one label is the page's.
    """
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    raw = {**WORLDS[world], **tomllib.loads(lines), "run": {"rounds": ROUNDS}}
    for method in raw["methods"].values():
        if method.get("hypergradient", {}).get("name") == "direct":
            method["hypergradient"] = IN_PLACE_OF_DIRECT
    if noise is not None:
        raw["problem"] = {**raw["problem"], "noise": noise}
    source = Source(f"{page}.md", lines)
    return build(validate(raw, source), source)


class Line(NamedTuple):
    """One method's metric.

    Attributes:
        label: The method's name.
        rounds: (rows,).
        metric: Over the seeds, each (rows,).
    """

    label: str
    rounds: np.ndarray
    metric: Spread


@functools.cache
def run(page: str, world: str, noise: float | None) -> Line:
    """Runs a page's method on a world."""
    built = experiment(page, world, noise)
    ((label, algorithm),) = built.algorithms.items()
    result = hg.solve(
        algorithm, built.problem, built.network, rounds=ROUNDS, seeds=SEEDS, observe_every=EVERY, progress=False
    )
    rows = by_seed(result.history, "metric")
    name = "SGD" if (page, world) == ("dsgd", "one agent") else label
    return Line(name, rows.index.to_numpy(), spread(rows.to_numpy()))


def draw(page: str) -> Figure:
    """Draws a page's figure: with noise a line and its band, without it a dashed line, and the rival's two in grey."""
    setting = SETTINGS[page]
    figure, axes = column(2.4)
    handles: list[Any] = []
    rival = setting.rival, setting.rivals_world or setting.world
    for (name, world), colour, place in ((rival, GREY, 2), ((page, setting.world), style.COLOURS[0], 4)):
        for noise, dashes in LINES:
            line = run(name, world, noise)
            what = "noise" if noise is None else "no noise"
            median = np.maximum(line.metric.median, 1e-300)
            width = WIDE if colour == GREY else None
            axes.plot(line.rounds, median, dashes, color=colour, linewidth=width, zorder=place)
            if name == page and noise is None:
                axes.fill_between(
                    line.rounds, line.metric.low, line.metric.high, color=colour, alpha=0.2, linewidth=0, zorder=3
                )
            label = f"{line.label}, {what}"
            handles.append(Line2D([], [], color=colour, linestyle=dashes, linewidth=width, label=label))
    axes.set_yscale("log")
    axes.set_xlim(0, ROUNDS)
    axes.set_ylim(*LIMITS)
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(range(0, ROUNDS + 1, 80))
    axes.set_xlabel("rounds")
    axes.set_ylabel("metric $M_t$")
    handles = handles[2:] + handles[:2]
    longest = max(len(handle.get_label()) for handle in handles)
    spacing = 2.0 if longest <= LONGEST_LABEL else 1.0  # in letters
    where = {"loc": "outside upper center", "ncols": 2}
    figure.legend(handles=handles, **where, fontsize=style.SMALL, handlelength=3.2, columnspacing=spacing)
    return figure


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.method_figures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the registry; all of them if absent")
    parser.add_argument("--out", type=Path, default=PAGES / "images", metavar="FOLDER", help="docs/methods/images")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(SETTINGS)):
        parser.error(f"no page is called {', '.join(unknown)}; there are {', '.join(SETTINGS)}.")
    for name in given.names or SETTINGS:
        with jax.enable_x64(True), style.look():
            path = style.write(draw(name), given.out / f"{name}.png")
        with Image.open(path) as picture:  # few colours: a third of the bytes
            few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
