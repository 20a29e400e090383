"""The benchmarks against an earlier commit, side by side: `python -m benchmarks.against [REVISION]`, or `make bench`.

The commit, version 0.1.0 if absent, is checked out in a temporary folder. Whole commands, which take minutes, have a
benchmark of their own, `benchmarks.commands`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION_0_1_0 = "f97ed39"
NAMES = ("rounds", "rows", "first_solve")


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Checks out a revision in a temporary folder."""
    here = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "earlier"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", place, revision], cwd=here, check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=here, check=True)


def main() -> None:
    """Runs every benchmark that compares two checkouts."""
    revision = "".join(sys.argv[1:2]) or VERSION_0_1_0
    print(f"against {revision}")
    with checkout(revision) as place:
        for name in NAMES:
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", place], check=True)


if __name__ == "__main__":
    main()
