"""The implementation of ``hypergossip watch``."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.live import Live

from hypergossip.lab.cli.errors import say
from hypergossip.lab.watching import advice, plan_file, summary, terminal
from hypergossip.lab.watching.collector import Collector, NetworkView
from hypergossip.lab.watching.server import PageServer

INTERVAL = 0.5  # seconds
STAYS = "All agents have ended; the page stays until Ctrl-C."
STOPPED = "{}; nothing is watched any more, and the agents run as before."


def observe(config: Path, web: bool, port: int, once: bool) -> str:
    """Shows the agents of a network until all have finished; with the page, until Ctrl-C.

    Args:
        config: The file watch.toml.
        web: Whether to serve the page.
        port: The port of the page, 0 for a free one.
        once: Whether to print one report, after all agents have been heard, or a while has passed.

    Returns:
        A sentence on the agents that failed, or "".

    Raises:
        ValueError: If the file is not valid, or nobody answers and one report was asked for.
        KeyboardInterrupt: At Ctrl-C or SIGTERM, when everything is closed.
    """
    if web and once:
        raise ValueError("--once prints one report and --web serves a page until Ctrl-C; give one of them.")
    plan = plan_file.read(config)
    try:
        with ExitStack() as stack:
            collector = stack.enter_context(Collector(plan))
            if once:
                return _once(collector)
            if web:
                server = stack.enter_context(PageServer(collector, port))
                typer.echo(f"Open {server.address} in a browser. Ctrl-C ends it.")
            return _follow(collector, forever=web)
    except KeyboardInterrupt as error:
        name = "SIGTERM" if str(error).startswith("SIGTERM") else "SIGINT"
        raise KeyboardInterrupt(STOPPED.format(name)) from None


def _once(collector: Collector) -> str:
    while True:
        view = collector.view()
        if view.heard == len(view.agents) or view.time > advice.PATIENCE:
            break
        time.sleep(0.1)
    if not view.heard:
        raise ValueError(advice.silence(collector))
    for line in terminal.plain(view):
        typer.echo(line)
    return summary.outcome(view)


def _note(collector: Collector, view: NetworkView, before: str, forever: bool) -> str:
    if view.heard:
        return STAYS if view.ended and forever else ""
    return before or (advice.silence(collector) if view.time > advice.PATIENCE else "")


def _follow(collector: Collector, forever: bool) -> str:
    console = Console()
    live: Any = None
    if console.is_terminal and sys.stdout.isatty():
        live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
    log, text = terminal.Log(), ""
    with live or ExitStack():
        while True:
            view = collector.view()
            before, text = text, _note(collector, view, text, forever)
            if live is None and text and text != before:
                say(text)
            if live is not None:
                live.update(terminal.screen(view, text, console.width, console.height), refresh=True)
            else:
                for line in log.lines(view):
                    typer.echo(line)
            if view.ended and not forever:
                break
            time.sleep(INTERVAL)
    if live is None:
        for line in terminal.plain(view):
            typer.echo(line)
    return summary.outcome(view)
