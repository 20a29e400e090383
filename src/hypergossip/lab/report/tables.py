"""Tables of results: a data frame with one row per method, and the same for a terminal, in Markdown and in HTML."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from hypergossip.figures.histories import (
    CONSERVED,
    COSTS,
    ERRORS,
    KNOWN_COLUMNS,
    LAST_FIFTH,
    check,
    errors,
    leading,
    means_from,
    observations,
    rounds_shown,
    seeds,
    spread,
)
from hypergossip.lab.report.markup import letters

TAIL = "_tail"
LOWER_IS_BETTER = {"loss", "error", "regret", "distance", "residual"}
HIGHER_IS_BETTER = {"accuracy", "reward", "return", "score"}
BYTES = ("B", "kB", "MB", "GB", "TB", "PB")
ABSENT = "–"


class Cells(NamedTuple):
    """A table of formatted text.

    Attributes:
        head: The titles of the columns; the first is that of the names of the rows and may be empty.
        rows: Rows of text, each as long as the head, with the name of the row first.
        best: For every cell except the names, whether it is the best of its kind.
    """

    head: list[str]
    rows: list[list[str]]
    best: list[list[bool]]


def summary(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns one row per method: its costs and its final values, as medians over its seeds.

    Args:
        histories: Method -> history, one row per round (and seed).

    Returns:
        Index "method". Columns: seeds, rounds, exchanges (where they differ from the rounds), samples and bytes_sent
        (both per agent), seconds (of all seeds together), metric with metric_low and metric_high, the terms of the
        metric, upper_loss, conserved (where a history has it), and each observation of the problem with
        <observation>_tail. The low and high values are the 10th and 90th percentile, or the smallest and the largest of
        fewer than ten seeds. Values are those of the last round of each seed; a tail is the mean over the last fifth of
        the rounds. Where no history has a metric, as in a game, the first observation takes its role and errors that
        are zero are omitted. A number is NaN where a seed is not finite or a method has no such column.

    Raises:
        ValueError: If there is no history, or one lacks a column.
    """
    check(histories)
    first, own = leading(histories.values()), observations(histories.values())
    there = errors(histories.values(), seen=first != "metric") + ["upper_loss"] * (first == "metric")
    if any(CONSERVED in history and any(history[CONSERVED].notna()) for history in histories.values()):
        there.append(CONSERVED)
    costs = ["exchanges"] * (rounds_shown(histories.values()) == "exchanges") + ["samples", "bytes_sent", "seconds"]
    rows = {}
    for name, history in histories.items():
        last = lambda column, history=history: spread(_ends(history, column))
        low, high = (f"{first}_low", f"{first}_high")
        shown = last(first)
        row = {
            "seeds": seeds(history),
            "rounds": int(history["round"].to_numpy().max()),
            **{column: last(column).median for column in costs},
            **{first: shown.median, low: shown.low, high: shown.high},
            **{column: last(column).median for column in there},
        }
        for column in own:
            row |= {column: last(column).median, column + TAIL: spread(_ends(history, column, LAST_FIFTH)).median}
        rows[name] = {column: value if isinstance(value, int) else float(value) for column, value in row.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def console(frame: pd.DataFrame) -> Table:
    """Returns a table for a terminal with formatted numbers, the best of each kind emphasised.

    A frame of numbers with more columns than rows is transposed, so that a summary fits eighty characters.

    Args:
        frame: A summary, or any frame; its index names the rows.
    """
    cells = _cells(frame)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(cells.head[0], no_wrap=True)
    for name in cells.head[1:]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for (name, *texts), best in zip(cells.rows, cells.best, strict=True):
        table.add_row(
            Text(name), *(Text(text, "bold green" if top else "") for text, top in zip(texts, best, strict=True))
        )
    return table


def markdown(frame: pd.DataFrame) -> str:
    """Returns the table that `console` shows as Markdown, the best of a kind in bold, ending with a newline.

    Args:
        frame: As for `console`.
    """
    cells = _cells(frame)
    escaped = lambda text: text.replace("\\", "\\\\").replace("|", "\\|")
    line = lambda texts: "| " + " | ".join(texts) + " |"
    rules = "".join(" --- |" if is_text else " ---: |" for is_text in _text_columns(frame, cells))
    lines = [line(map(escaped, cells.head)), f"| --- |{rules}"]
    for (name, *texts), best in zip(cells.rows, cells.best, strict=True):
        lines.append(
            line(
                [escaped(name)]
                + [f"**{escaped(text)}**" if top else escaped(text) for text, top in zip(texts, best, strict=True)]
            )
        )
    return "\n".join(lines) + "\n"


def html(frame: pd.DataFrame) -> str:
    """Returns the head and body of the table that `console` shows as HTML, the best of a kind in bold.

    Args:
        frame: As for `console`.
    """
    cells = _cells(frame)
    corner, *columns = cells.head
    kinds = [' class="text"' if is_text else "" for is_text in _text_columns(frame, cells)]
    heads = (f'<th scope="col"{kind}>{letters(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    head = f"<td>{letters(corner)}</td>" + "".join(heads)
    lines = [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for (name, *texts), best in zip(cells.rows, cells.best, strict=True):
        marked = [f"<strong>{letters(text)}</strong>" if top else letters(text) for text, top in zip(texts, best)]
        row = "".join(f"<td{kind}>{text}</td>" for text, kind in zip(marked, kinds, strict=True))
        lines.append(f'<tr><th scope="row">{letters(name)}</th>{row}</tr>')
    return "\n".join([*lines, "</tbody>"])


def _ends(history: pd.DataFrame, column: str, share: float = 1.0) -> np.ndarray:
    """Returns each seed's value at its last round, or its mean from a share of the rounds on, (seeds,)."""
    return means_from(history, column, share) if column in history else np.array([np.nan])


def _cells(frame: pd.DataFrame) -> Cells:
    names = [str(label) for label in frame.index]
    columns = [str(column) for column in frame.columns]
    texts = [_texts(name, frame.iloc[:, index]) for index, name in enumerate(columns)]
    best = [_best(name, frame.iloc[:, index], texts[index]) for index, name in enumerate(columns)]
    if len(columns) > len(names) and all(_is_numeric(frame.iloc[:, index]) for index in range(len(columns))):
        return Cells(["", *names], [[name, *line] for name, line in zip(columns, texts, strict=True)], best)
    rows = [[name, *(column[index] for column in texts)] for index, name in enumerate(names)]
    return Cells(
        [str(frame.index.name or ""), *columns],
        rows,
        [[column[index] for column in best] for index in range(len(names))],
    )


def _text_columns(frame: pd.DataFrame, cells: Cells) -> list[bool]:
    """Returns for every column except the first whether it has text, which is aligned to the left."""
    upright = cells.head[1:] == list(map(str, frame.columns))
    return [upright and not _is_numeric(frame.iloc[:, index]) for index in range(len(cells.head) - 1)]


def _texts(name: str, values: pd.Series) -> list[str]:
    """Returns the formatted values of a column, all in one notation so that they can be compared."""
    if not _is_numeric(values):
        return [ABSENT if absent else str(value) for value, absent in zip(values, values.isna(), strict=True)]
    numbers = _numbers(values)
    notation = _notation(name, numbers[np.isfinite(numbers)])
    return [
        notation(number) if math.isfinite(number) else ABSENT if math.isnan(number) else str(number)
        for number in numbers
    ]


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy(np.float64, na_value=np.nan)


def _notation(name: str, numbers: np.ndarray) -> Callable[[float], str]:
    if name.startswith("bytes"):
        return _bytes
    sizes = np.abs(numbers[numbers != 0])
    if name.removesuffix("_low").removesuffix("_high") in ERRORS and ((sizes < 1e-2) | (sizes >= 1e3)).any():
        return scientific
    whole = bool((numbers == np.round(numbers)).all())
    if not sizes.size or (whole and sizes.max() < 1e15) or name in COSTS:
        return lambda number: f"{number:,.0f}"
    if sizes.min() < 1e-3 or sizes.max() >= 1e6:
        return scientific
    # Four figures of the largest and three of the smallest.
    decimals = max(0, 3 - math.floor(math.log10(sizes.max())), 2 - math.floor(math.log10(sizes.min())))
    return lambda number: f"{number:,.{decimals}f}"


def scientific(number: float) -> str:
    """Returns three figures and an exponent without padding, 4.44e-3, 1.29 or 0, of a finite `number`."""
    if number == 0:
        return "0"
    figures, exponent = f"{number:.2e}".split("e")
    return f"{figures}e{int(exponent)}" if int(exponent) else figures


def _bytes(number: float) -> str:
    """Returns bytes in decimal units with three figures: 178 kB."""
    size = 0
    while abs(number) >= 999.5 and size < len(BYTES) - 1:
        number, size = number / 1000, size + 1
    return f"{number:.3g} {BYTES[size]}"


def _best(name: str, values: pd.Series, texts: list[str]) -> list[bool]:
    """Marks the best values of a column as formatted, or none where all are equal or no direction is better."""
    lower = _lower_is_better(name)
    if lower is None or len(set(texts)) == 1 or not _is_numeric(values):
        return [False] * len(texts)
    numbers = _numbers(values)
    finite = np.isfinite(numbers)
    if not finite.any():
        return [False] * len(texts)
    best = int(np.where(finite, numbers if lower else -numbers, np.inf).argmin())
    return [text == texts[best] for text in texts]


def _lower_is_better(name: str) -> bool | None:
    """Returns whether the lowest value of a column is the best, judged by its name; None if neither end is."""
    if name in KNOWN_COLUMNS:  # the upper loss of agents that disagree can lie below the optimum
        return True if name in ERRORS else None
    parts = set(name.split("_"))
    if parts & LOWER_IS_BETTER:
        return True
    return False if parts & HIGHER_IS_BETTER else None
