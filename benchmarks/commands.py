"""Whole commands against an earlier commit's: `python -m benchmarks.commands [REVISION] [NAME]`.

`compare` on the configuration of DIAMOND's figure 4 (the real a9a, whose folder may stand in $HYPERGOSSIP_DATA), the
demo, and `reproduce --quick` of DIAMOND's figure 1, each with an empty compilation cache and then with the one that it
filled. The earlier version has no such cache and runs once before and once after.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.against import VERSION_0_1_0, checkout
from benchmarks.timing import report

# Name -> the arguments of the earlier and of the present version, relative to the checkout.
COMMANDS = {
    "compare": (("compare", "--config", "examples/d4.toml"), ("compare", "--config", "examples/diamond_fig4.toml")),
    "demo": (("compare", "--config", "examples/demo.toml"),) * 2,
    "reproduce": (("reproduce", "D1", "--quick"), ("reproduce", "diamond-fig1", "--quick")),
}


def seconds(place: Path, arguments: tuple[str, ...], cache: str) -> float:
    """Returns how long a command takes.

    Args:
        place: The checkout whose library runs.
        arguments: The arguments of the command.
        cache: The folder of its compilation cache.
    """
    environment = {**os.environ, "PYTHONPATH": str(place / "src"), "XDG_CACHE_HOME": cache}
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hypergossip", *arguments, "--out", f"{out}/results"]
        begin = time.perf_counter()
        subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
        return time.perf_counter() - begin


def main() -> None:
    """Prints a row for each command."""
    revision, wanted = "".join(sys.argv[1:2]) or VERSION_0_1_0, sys.argv[2:] or list(COMMANDS)
    here, rows = Path(__file__).parents[1], []
    with checkout(revision) as place:
        for name in wanted:
            earlier, present = COMMANDS[name]
            with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as other:
                before = seconds(place, earlier, other)
                cold, warm = (seconds(here, present, cache) for _ in range(2))
                after = seconds(place, earlier, other)
            there = (before + after) / 2
            rows.append(
                (
                    name,
                    f"{before:.1f} and {after:.1f} s -> empty cache {cold:.1f} s ({there / cold:.2f} times), full "
                    f"cache {warm:.1f} s ({there / warm:.2f} times)",
                )
            )
    report(f"whole commands, {revision} -> this commit", rows)


if __name__ == "__main__":
    main()
