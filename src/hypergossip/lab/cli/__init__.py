"""The command line: ``hypergossip run``, ``compare``, ``tune``, ``reproduce``, ``play`` and other commands."""

from hypergossip.lab.cli.app import app
from hypergossip.running.compilation_cache import use_by_default

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command line."""
    use_by_default()
    app(prog_name="hypergossip")
