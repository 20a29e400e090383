"""A progress bar that shows the current metric."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

WIDTH = 40  # characters of the plain bar
Show = Callable[[int, Any], None]


@contextmanager
def progress_bar(wanted: bool | None, name: str, first: int, last: int) -> Iterator[Show]:
    """Shows a progress bar on standard error while the block runs.

    Args:
        wanted: Whether to show the bar; None shows it only on a terminal.
        name: The name of the run.
        first: The number of rounds already completed.
        last: The last round.

    Yields:
        A function of the round and of the metric of every run, which is None if no row was measured.
    """
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda round, metric: None
        return
    with (_rich if find_spec("rich") else _plain)(name, first, last) as show:
        yield show


@contextmanager
def _rich(name: str, first: int, last: int) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("metric {task.fields[metric]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(name, total=last, completed=first, metric="...")

        def show(round: int, metric: Any) -> None:
            bar.update(task, completed=round)
            if metric is not None:
                bar.update(task, metric=f"{np.mean(metric):.3g}")

        yield show


@contextmanager
def _plain(name: str, first: int, last: int) -> Iterator[Show]:
    """A plain bar without dependencies: one line that a carriage return overwrites."""
    begun, shown = time.monotonic(), ""

    def show(round: int, metric: Any) -> None:
        nonlocal shown
        if metric is not None:
            shown = f"  metric {np.mean(metric):.3g}"
        filled = WIDTH * (round - first) // max(1, last - first)
        seconds = (time.monotonic() - begun) * (last - round) / max(1, round - first)
        left = "" if round == first else f"  {seconds:.0f} s left"
        sys.stderr.write(f"\r\033[K{name} [{'#' * filled:<{WIDTH}}] {round}/{last}{shown}{left}")
        sys.stderr.flush()

    show(first, None)
    try:
        yield show
    finally:
        sys.stderr.write("\n")
