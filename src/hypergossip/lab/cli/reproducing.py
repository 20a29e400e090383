"""The implementation of ``hypergossip reproduce``."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from hypergossip.lab.cli.errors import say
from hypergossip.lab.experiments import reproduce
from hypergossip.lab.experiments.catalogue import find, names
from hypergossip.lab.experiments.episodes import pictures
from hypergossip.lab.experiments.report_building import build_report
from hypergossip.lab.report import html_page, markdown_page
from hypergossip.lab.report.tables import console, summary
from hypergossip.lab.toml_text import one_line

_OF_THIS_CALL = ("run.progress", "problem.data_dir")  # these options do not change the numbers


def experiments() -> Iterator[str]:
    """Yields one line per experiment: its name and title, separated by a tab, or in columns on a terminal."""
    for name, text in names().items():
        yield f"{name:<24}{text}" if sys.stdout.isatty() else f"{name}\t{text}"


def reproduce_into(
    name: str, out: Path | None, quick: bool, settings: dict[str, Any], cases: list[str], overwrite: bool
) -> Path:
    """Runs an experiment and writes its folder.

    Args:
        name: The name of the experiment.
        out: The folder; None for runs/<name>, or runs/<name>-quick for a quick run.
        quick: Whether to run only a few minutes.
        settings: Dotted option -> value, or None.
        cases: The cases to run; empty for all of them.
        overwrite: Whether to replace an earlier experiment in the folder.

    Returns:
        The path of the report.

    Raises:
        ValueError: If there is no such experiment or case, or the folder cannot be used.
        DataUnavailable: If the data cannot be found.
    """
    found = find(name)
    experiment = found.chosen(cases or list(found.quick_cases if quick else ()))
    folder = out or Path("runs") / (experiment.name + "-quick" * quick)
    kept = {key: value for key, value in settings.items() if value is not None and key not in _OF_THIS_CALL}
    request = {"experiment": experiment.name, "quick": quick, "cases": [case.name for case in experiment.cases], **kept}
    if overwrite and folder.exists():
        reproduce.check(experiment, quick, settings)
    with _marked(folder, request, overwrite):
        records = reproduce.run(experiment, folder, quick, settings, say)
    (folder / reproduce.FIGURES).mkdir(exist_ok=True)
    document = build_report(experiment, records, quick, pictures(folder, records))
    html_page.write(document, folder)
    page = markdown_page.write(document, folder)
    for record in records:
        if record.outcome.histories:
            stages = one_line(record.raw.get("channel", []))
            say(f"{experiment.name}, {record.case.full_title}{f'; channel: {stages}' if stages else ''}")
            table = console(summary(record.outcome.histories))
            Console(width=None if sys.stdout.isatty() else 10_000).print(table)
    return page


@contextmanager
def _marked(folder: Path, request: dict[str, Any], overwrite: bool) -> Iterator[None]:
    """Marks the folder as this experiment's, but removes the mark if an error occurs before any other file exists."""
    marker, new = folder / reproduce.ASKED, not folder.exists()
    reproduce.prepare(folder, request, overwrite)
    try:
        yield
    except BaseException:
        # A folder with the mark alone (as when data are missing) would refuse other options for no reason.
        if not any(path.is_file() and path != marker for path in folder.rglob("*")):
            shutil.rmtree(folder / reproduce.CASES, ignore_errors=True)
            marker.unlink(missing_ok=True)
            if new and not any(folder.iterdir()):
                folder.rmdir()
        raise
