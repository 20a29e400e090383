"""Puts the report of an experiment into docs/experiments: ``python -m benchmarks.gallery runs/D1 [runs/D4 ...]``.

The Markdown page and its pictures alone; the numbers and the page of the browser stay with the run.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

from hypergossip.experiments.reproduce import ASKED, FIGURE, FIGURES, MARKDOWN

EXPERIMENTS = Path(__file__).parents[1] / "docs" / "experiments"
NUMBERS = re.compile(r"\[([\w./-]+\.csv)\]\([\w./-]+\.csv\)")  # links to files that are not taken along


def take(run: Path) -> Path:
    """Copies a run's report, and returns its new page."""
    name = tomllib.loads((run / ASKED).read_text(encoding="utf-8"))["experiment"].lower()
    place = EXPERIMENTS / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    text = NUMBERS.sub(r"`\1`", (run / MARKDOWN).read_text(encoding="utf-8"))
    (place / "index.md").write_text(text, encoding="utf-8")
    shutil.copy(run / FIGURE, place)
    if (run / FIGURES).is_dir():
        shutil.copytree(run / FIGURES, place / FIGURES)
    return place / "index.md"


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(take(Path(folder)))
