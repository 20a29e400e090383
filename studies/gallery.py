"""Puts reports of experiments into docs/experiments: ``python -m studies.gallery runs/diamond-fig1 [runs/...]``.

The Markdown page and its pictures alone; the numbers and the page of the browser stay with the run.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

from hypergossip.lab.experiments.reproduce import ASKED, FIGURE, FIGURES, MARKDOWN

EXPERIMENTS = Path(__file__).parents[1] / "docs" / "experiments"
NUMBERS = re.compile(r"\[([\w./-]+\.csv)\]\([\w./-]+\.csv\)")  # links to files that are not taken along


def take(run: Path) -> Path:
    """Copies a run's report, and returns its new page.

    Raises:
        ValueError: If the run has not ended; the earlier page stays.
    """
    lacking = [name for name in (ASKED, MARKDOWN, FIGURE) if not (run / name).is_file()]
    if lacking:
        raise ValueError(
            f"{run} has no {' and no '.join(lacking)}: it has not ended, or is no folder of an experiment; give the "
            "folder of one that has, or let 'hypergossip reproduce' go on with it first."
        )
    name = tomllib.loads((run / ASKED).read_text(encoding="utf-8"))["experiment"].lower()
    text = NUMBERS.sub(r"`\1`", (run / MARKDOWN).read_text(encoding="utf-8"))
    place = EXPERIMENTS / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "index.md").write_text(text, encoding="utf-8")
    shutil.copy(run / FIGURE, place)
    if (run / FIGURES).is_dir():
        shutil.copytree(run / FIGURES, place / FIGURES)
    return place / "index.md"


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(take(Path(folder)))
