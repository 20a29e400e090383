"""The same pictures as Plotly figures for a page: plain dictionaries, which need no Plotly to be made.

Colours that depend on the reader's scheme, light or dark, are names that page.js resolves: "@ink", "@faint", "@grid",
"@paper" and "@band". Numbers are rounded to six figures, which no eye can tell from all of them, to keep pages small.
"""

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hypergossip.figures import axes as panels
from hypergossip.figures import style
from hypergossip.figures.distributions import Bins, Strip, range_in_words
from hypergossip.figures.network import LARGEST_DRAWN, LARGEST_NUMBERED, edges, labels, layout, widths, within
from hypergossip.lab.report.markup import letters
from hypergossip.lab.report.pictures import Drawn
from hypergossip.lab.report.tables import scientific
from hypergossip.networks.network import Network

Chart = dict[str, Any]

LABELS = {
    "metric": "metric <i>M<sub>t</sub></i>",
    "return": panels.LABELS["return"],
    "stationarity": "stationarity ‖∇ℓ(x̄)‖<sup>2</sup>",
    "consensus_error": "consensus error Σ<sub>i</sub>‖x<sub>i</sub> − x̄‖<sup>2</sup>",
    "lower_error": "lower error Σ<sub>i</sub>‖y<sub>i</sub><sup>*</sup>(x<sub>i</sub>) − y<sub>i</sub>‖<sup>2</sup>",
    "lower_consensus_error": "lower consensus Σ<sub>i</sub>‖y<sub>i</sub> − ȳ‖<sup>2</sup>",
}
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
}
DASHES = {"-": "solid", "--": "dash", ":": "dot"}
EDGES_TOLD = 2000  # more are drawn, but tell no weight: they could not be pointed at
PIXELS = 4 / 3  # a point


def curves(drawn: Drawn, marks: Mapping[str, int]) -> Chart:
    """Returns a panel: for every method a band of two traces, a line that tells its numbers, and markers.

    Args:
        drawn: The panel and its lines.
        marks: Every method of the story, with its place.
    """
    along, up = drawn.scales
    traces = []
    # The first method is drawn last, as in the still picture, but told first; all markers lie above all lines.
    for rank, name in reversed(list(enumerate(drawn.lines))):
        traces += [trace | {"legendrank": rank} for trace in _curve(name, drawn.lines[name], marks[name])]
    for name in reversed(drawn.lines):
        traces.append(_markers(name, drawn.lines[name], marks[name], 1 + max(marks.values()), along))
    column = drawn.panel.column
    across = _axis(panels.label_along(drawn.panel.histories, drawn.panel.against), along) | {"hoverformat": ",.0f"}
    if along.high >= 10_000:
        across |= {"tickformat": "~s"}
    label = LABELS.get(column, letters(column.replace("_", " ")))
    shown = _layout(across, _axis(label, up), drawn.panel.title)
    if drawn.panel.against == "round":
        shown["hovermode"] = "x unified"  # all methods at one round, one below the other
        across["unifiedhovertitle"] = {"text": "round %{x}"}
    return {"data": traces, "layout": shown}


def network(network: Network) -> Chart | None:
    """Returns a network with edges as wide as their weights, or nothing where there are too many agents to draw."""
    if network.agents > LARGEST_DRAWN:
        return None
    places, words = layout(network), labels(network)
    i, j, weights = edges(network)
    names = [str(a) if network.names is None else html.escape(repr(words[a]), False) for a in range(network.agents)]
    traces = []
    shown = np.round(widths(weights) * PIXELS, 1) if weights.size else weights
    for width, negative in sorted({(float(w), bool(v < 0)) for w, v in zip(shown, weights, strict=True)}):
        chosen = (shown == width) & ((weights < 0) == negative)
        across, along = (_broken(places[i[chosen], axis], places[j[chosen], axis]) for axis in (0, 1))
        line = {"color": "@edge", "width": width, "dash": "dash" if negative else "solid"}
        traces.append(_trace(across, along, mode="lines", line=line, hoverinfo="skip"))
    if 0 < weights.size <= EDGES_TOLD:
        middle = (places[i] + places[j]) / 2
        told = [f"agents {names[a]} and {names[b]}: weight {w:.4g}" for a, b, w in zip(i, j, weights, strict=True)]
        unseen = {"size": 12, "opacity": 0}
        traces.append(
            _trace(_numbers(middle[:, 0]), _numbers(middle[:, 1]), mode="markers", marker=unseen) | _told(told)
        )
    own, few = network.mixing.diagonal(), network.agents <= LARGEST_NUMBERED
    told = [f"agent {a}: {_counted(d)}, own weight {w:.4g}" for a, d, w in zip(names, network.degrees.tolist(), own)]
    disc = {"size": float(np.clip(150 / math.sqrt(network.agents), 7, 26)), "line": {"color": "@ink", "width": 1.2}}
    agents = _trace(_numbers(places[:, 0]), _numbers(places[:, 1]), mode="markers+text" if few else "markers")
    agents |= _told(told) | {"marker": disc | {"color": "@paper" if few else "@faint"}}
    if few:
        agents |= {"text": [html.escape(word, False) for word in words], "textfont": {"size": 11, "color": "@ink"}}
        if not within(words):
            agents |= {"textposition": "bottom center", "cliponaxis": False}
    low, high = places.min(axis=0), places.max(axis=0)
    margin = 0.07 * max(float((high - low).max()), 0.5)
    across, up = ({"visible": False, "range": _numbers(np.array(ends))} for ends in zip(low - margin, high + margin))
    slim = float((high - low + 2 * margin)[1] / (high - low + 2 * margin)[0])
    shown = _layout(across, up | {"scaleanchor": "x"}, letters(network.name))
    shown["margin"] = {"l": 8, "r": 8, "t": 34, "b": 8}
    shown["height"] = int(np.clip(50 + 600 * slim, 180, 420))
    return {"data": [*traces, agents], "layout": shown}


def strips(shown: Mapping[str, Strip], marks: Mapping[str, int], label: str) -> Chart:
    """Returns every method's agents side by side: points are seeds, bars their medians.

    Args:
        shown: Method -> its agents.
        marks: Every method of the story, with its place.
        label: What the numbers are.
    """
    traces = []
    for name, strip in shown.items():
        colour, (seeds, agents) = _colour(style.mark(marks[name]).colour), strip.values.shape
        if seeds > 1:
            beside = np.linspace(-0.5, 0.5, seeds)[:, None] * strip.half
            told = [
                f"{letters(name)}, agent {a}, seed {s}: {strip.values[s, a]:.4g}"
                for s in range(seeds)
                for a in range(agents)
            ]
            dots = {"color": colour, "opacity": 0.45, "size": float(np.clip(40 / agents, 3, 6))}
            places = _numbers((strip.across + beside).ravel()), _numbers(strip.values.ravel())
            traces.append(_trace(*places, mode="markers", marker=dots) | _told(told))
        bars = _broken(strip.across - strip.half, strip.across + strip.half), _broken(strip.medians, strip.medians)
        traces.append(_trace(*bars, mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip"))
        told = [
            f"{letters(name)}, agent {a}: {'median ' * (seeds > 1)}{value:.4g}" for a, value in enumerate(strip.medians)
        ]
        heart = {"size": 8, "opacity": 0}
        traces.append(
            _trace(_numbers(strip.across), _numbers(strip.medians), mode="markers", marker=heart) | _told(told)
        )
    ticks = [f"{letters(name)}<br>{range_in_words(strip)}" for name, strip in shown.items()]
    across = _axis("", panels.Scale(False, -0.5, len(shown) - 0.5)) | {"showgrid": False, "ticklen": 0}
    across |= {"tickmode": "array", "tickvals": list(range(len(shown))), "ticktext": ticks}
    return {"data": traces, "layout": _layout(across, _axis(letters(label), None), "") | {"height": 380}}


def bins(shown: Bins, label: str) -> Chart:
    """Returns groups in the same bins, over each other, with their medians dashed.

    Args:
        shown: The groups.
        label: What the numbers are.
    """
    traces, lines = [], []
    for place, (name, shares) in enumerate(shown.shares.items()):
        colour, fill = _colour(style.mark(place).colour), _band(style.mark(place).colour)
        told = [
            f"{share:.1%} from {low:.3g} to {high:.3g}"
            for share, low, high in zip(shares, shown.edges[:-1], shown.edges[1:], strict=True)
        ]
        # From the first edge over the bins' middles to the last edge: steps midway between are the edges.
        across = np.concatenate([shown.edges[:1], (shown.edges[:-1] + shown.edges[1:]) / 2, shown.edges[-1:]])
        ends = {"mode": "lines", "line": {"shape": "hvh", "color": colour, "width": 1.6}, "name": letters(name)}
        ends |= {"fill": "tozeroy", "fillcolor": fill, "legendgroup": name, "hovertemplate": "%{text}"}
        inner = [told[0], *told, told[-1]]
        traces.append(_trace(_numbers(across), _numbers(np.pad(shares, 1, "edge")), **ends, text=inner))
        median, top = shown.medians[name], float(shares.max())
        lines.append(
            _trace([median, median], [0, top], mode="lines", line={"color": colour, "dash": "dash", "width": 1.5})
            | {"legendgroup": name, "hoverinfo": "skip"}
        )
    ends = panels.Scale(False, float(shown.edges[0]), float(shown.edges[-1]))
    up = _axis("share of the group", None) | {"tickformat": ".0%", "rangemode": "tozero"}
    layout = _layout(_axis(letters(label), ends) | {"hoverformat": ".3g"}, up, "") | {"hovermode": "x unified"}
    return {"data": traces + lines, "layout": layout}


def _curve(name: str, line: panels.Curve, place: int) -> list[Chart]:
    mark = style.mark(place)
    colour = _colour(mark.colour)
    traces = []
    finite = np.isfinite(line.low) & np.isfinite(line.high)
    if line.seeds > 1 and finite.any():
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
        x = _numbers(line.x[finite])
        traces.append(_trace(x, _numbers(line.low[finite]), **edge))
        traces.append(_trace(x, _numbers(line.high[finite]), **edge, fill="tonexty", fillcolor=_band(mark.colour)))
    told = [_reading(*numbers, line.seeds) for numbers in zip(line.median, line.low, line.high, strict=True)]
    drawn = {"color": colour, "dash": DASHES[mark.dashes], "width": 2}
    curve = _trace(_numbers(line.x), _numbers(line.median), mode="lines", line=drawn, name=letters(name), text=told)
    return [*traces, curve | {"legendgroup": name, "hovertemplate": "%{text}"}]


def _markers(name: str, line: panels.Curve, place: int, methods: int, along: panels.Scale) -> Chart:
    mark = style.mark(place)
    rows = panels.marked(line.x, along, place, methods)
    symbol = {
        "symbol": SYMBOLS[mark.marker],
        "color": _colour(mark.colour),
        "size": 8,
        "line": {"color": "@paper", "width": 1},
    }
    marks = _trace(_numbers(line.x[rows]), _numbers(line.median[rows]), mode="markers", marker=symbol)
    return marks | {"legendgroup": name, "hoverinfo": "skip"}


def _reading(median: float, low: float, high: float, seeds: int) -> str:
    if not math.isfinite(median):
        return "not finite"
    numbers = (median, low, high) if seeds > 1 else (median,)
    plain = all(0.01 <= abs(number) < 1000 for number in numbers if number)
    texts = [f"{number:#.3g}".removesuffix(".") if plain else scientific(number) for number in numbers]
    return f"{texts[0]} ({texts[1]} to {texts[2]})" if seeds > 1 else texts[0]


def _trace(x: list[Any], y: list[Any], **more: Any) -> Chart:
    return {"type": "scatter", "x": x, "y": y, "showlegend": False, **more}


def _told(texts: list[str]) -> Chart:
    return {"hovertext": texts, "hovertemplate": "%{hovertext}<extra></extra>"}


def _axis(label: str, scale: panels.Scale | None) -> Chart:
    axis: Chart = {"title": {"text": label}}
    if scale is None:
        return axis
    if not scale.logarithmic:
        return axis | {"range": _numbers(np.array(scale[1:]))}
    low, high = np.log10(np.array(scale[1:]))
    values, texts = _ticks(low, high)
    ticks = {"tickmode": "array", "tickvals": values, "ticktext": texts, "exponentformat": "power"}
    return axis | {"type": "log", "range": _numbers(np.array([low, high]))} | ticks


def _ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Returns a logarithmic axis' ticks, as the still picture has them: powers of ten, of a short axis 2 and 5 too."""
    step = max(1, math.ceil((high - low) / 7))
    powers = [power for power in range(math.floor(low), math.ceil(high) + 1) if power % step == 0]
    ticks = [(times, power) for power in powers for times in ((1, 2, 5) if high - low < 2 else (1,))]
    ticks = [(times, power) for times, power in ticks if low <= math.log10(times) + power <= high]
    texts = [f"{f'{times}×' if times > 1 else ''}10<sup>{power}</sup>".replace("-", "−") for times, power in ticks]
    return [float(f"{times}e{power}") for times, power in ticks], texts


def _layout(across: Chart, up: Chart, title: str) -> Chart:
    return {"xaxis": across, "yaxis": up, "title": {"text": letters(title)}, "height": 300}


def _numbers(values: np.ndarray) -> list[float | int | None]:
    """Returns numbers with six figures, whole ones without a point, and null for what is not finite."""
    rounded = (float(f"{value:.6g}") if math.isfinite(value) else None for value in np.asarray(values).tolist())
    return [
        int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value for value in rounded
    ]


def _broken(begin: np.ndarray, end: np.ndarray) -> list[float | int | None]:
    """Returns segments as one line with gaps."""
    return [value for pair in zip(_numbers(begin), _numbers(end), strict=True) for value in (*pair, None)]


def _colour(colour: str) -> str:
    return "@ink" if colour == "#000000" else colour


def _band(colour: str) -> str:
    if colour == "#000000":
        return "@band"
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _counted(neighbours: int) -> str:
    return f"{neighbours} neighbour" if neighbours == 1 else f"{neighbours} neighbours"
