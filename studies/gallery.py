"""Puts reports of experiments into docs/experiments: ``python -m studies.gallery runs/diamond-fig1 [runs/...]``.

The Markdown page and its pictures alone; the numbers and the page of the browser stay with the run. A study that
writes index.md itself, such as that of traffic signals, is taken under the name of its folder.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

from hypergossip.lab.experiments.reproduce import ASKED, FIGURE, FIGURES, MARKDOWN

EXPERIMENTS = Path(__file__).parents[1] / "docs" / "experiments"
PAGE = "index.md"
PICTURES = (".png", ".gif")
NUMBERS = re.compile(r"\[([\w./-]+\.csv)\]\([\w./-]+\.csv\)")  # links to files that are not taken along


def take(run: Path) -> Path:
    """Copies the report of a run or the page of a study, and returns its new page.

    Raises:
        ValueError: If the run has not ended; the earlier page stays.
    """
    if (run / PAGE).is_file():
        return _take_page(run)
    lacking = [name for name in (ASKED, MARKDOWN, FIGURE) if not (run / name).is_file()]
    if lacking:
        raise ValueError(
            f"{run} has no {' and no '.join(lacking)}: it has not ended, or is no folder of an experiment; give the "
            "folder of one that has, or let 'hypergossip reproduce' go on with it first."
        )
    name = tomllib.loads((run / ASKED).read_text(encoding="utf-8"))["experiment"].lower()
    text = NUMBERS.sub(r"`\1`", (run / MARKDOWN).read_text(encoding="utf-8"))
    place = _emptied(name)
    (place / PAGE).write_text(text, encoding="utf-8")
    shutil.copy(run / FIGURE, place)
    if (run / FIGURES).is_dir():
        shutil.copytree(run / FIGURES, place / FIGURES)
    return place / PAGE


def _take_page(run: Path) -> Path:
    """Copies the page of a study and the pictures in its folder and the folders there."""
    place = _emptied(run.name)
    for source in [run / PAGE, *(path for path in run.rglob("*") if path.suffix in PICTURES)]:
        copy = place / source.relative_to(run)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(source, copy)
    return place / PAGE


def _emptied(name: str) -> Path:
    """Returns the folder of a page, without an earlier one."""
    place = EXPERIMENTS / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(take(Path(folder)))
