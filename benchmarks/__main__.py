"""Runs the benchmarks that are named, or all but those of games, which need the extra "bench"."""

import importlib
import platform
import sys
import warnings

import jax

from hypergossip import PreflightWarning

NAMES = ("step", "one_point", "loop", "mixing", "ring", "gossip")
GAMES = ("game_navigation", "game_pursuit", "game_learning", "game_traffic")  # with other people's environments


def main() -> None:
    """Prints every benchmark's table."""
    warnings.simplefilter("ignore", PreflightWarning)
    wanted = sys.argv[1:] or NAMES
    unknown = set(wanted) - {*NAMES, *GAMES}
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join((*NAMES, *GAMES))}.")
    device = jax.devices()[0].device_kind
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {device}, {platform.machine()}")
    for name in wanted:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
