"""The command ``hypergossip``, and ``python -m hypergossip`` where the script is not on the path."""

import sys

from hypergossip.support.extras import MissingExtra


def main() -> None:
    """Runs the command line; one sentence and exit code 2 where its extra is not installed."""
    try:
        from hypergossip.lab.cli import main as command_line
    except MissingExtra as error:
        print(f"hypergossip: {error}", file=sys.stderr)
        sys.exit(2)
    command_line()


if __name__ == "__main__":
    main()
