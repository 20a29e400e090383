"""A progress bar with the current metric, where there is somebody to look at it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def progress_bar(wanted: bool | None, name: str, first: int, last: int) -> Iterator[Callable[[int, Any], None]]:
    """Shows a bar on standard error while the block runs.

    Args:
        wanted: True, False, or None: only on a terminal.
        name: What runs.
        first: Rounds done already.
        last: The last round.

    Yields:
        A function of the round and, where a row was measured, the metric of every run.
    """
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda round, metric: None
        return
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
