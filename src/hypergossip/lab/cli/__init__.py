"""The command line: ``hypergossip run``, ``compare``, ``tune``, ``reproduce``, ``play`` and other commands."""

from hypergossip.lab.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command line."""
    app(prog_name="hypergossip")
