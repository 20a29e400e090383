"""The commands ``hypergossip deploy``, ``agent`` and ``launch``: agents as processes of their own on a network."""

import logging
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from hypergossip.lab.cli import options
from hypergossip.lab.cli.errors import one_sentence_errors, say

PlanFile = Annotated[Path, typer.Argument(help="TOML file of the network: an experiment with [peers] and [[agents]].")]
Method = Annotated[str | None, typer.Option("--method", "-m", help="Label of a method in the file.")]


def deploy(
    plan: PlanFile,
    to: Annotated[Path, typer.Option("--to", help="Folder that is written.")],
    method: Method = None,
    new_run: Annotated[
        bool, typer.Option("--new-run", help="Begin again from round 0, with a new identifier of the run.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Write every agent's configuration and certificates, and what starts it, from one description of the network.

    On the same folder it adds agents or changes options, and keeps the certificates and the run.
    """
    with one_sentence_errors(debug):
        from hypergossip.lab.deployment import folder
        from hypergossip.lab.deployment.plan import read_plan
        from hypergossip.lab.experiments.folder import check_place

        check_place(to, f"--to is {to}")
        checked = read_plan(plan, method)
        for text in checked.warnings:
            say(f"warning: {text}")
        written = folder.deploy(checked, to, new_run=new_run)
        for path, meaning in written.files:
            typer.echo(f"{path}: {meaning}")
        for note in written.notes:
            say(note)


def agent(
    config: Annotated[Path, typer.Option("--config", "-c", help="The agent's file, written by 'hypergossip deploy'.")],
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
    debug: options.Debug = False,
) -> None:
    """Run one agent of a network until its last round; started again, it continues from its checkpoint."""
    with one_sentence_errors(debug):
        if parent is not None:
            from hypergossip.lab.deployment.processes import end_with_parent

            end_with_parent(parent)
        from hypergossip.lab.deployment.starting import agent_settings
        from hypergossip.peers.link_settings import log_refusals
        from hypergossip.peers.round_program import compute_in_this_thread
        from hypergossip.peers.standalone import run_agent

        compute_in_this_thread()
        log_refusals()
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
        logging.getLogger("jax").setLevel(logging.WARNING)
        with agent_settings(config) as settings:
            run_agent(settings)


def launch(
    plan: PlanFile,
    to: Annotated[Path | None, typer.Option("--to", help="Folder that is written. Default: a temporary one.")] = None,
    method: Method = None,
    new_run: Annotated[bool, typer.Option("--new-run", help="Begin again from round 0 in the same folder.")] = False,
    debug: options.Debug = False,
) -> None:
    """Run all agents of a plan as processes of this machine, whatever their hosts in the plan, until all have ended."""
    with one_sentence_errors(debug):
        from hypergossip.lab.deployment import folder
        from hypergossip.lab.deployment.launching import commands
        from hypergossip.lab.deployment.plan import read_plan
        from hypergossip.lab.deployment.processes import run_together
        from hypergossip.lab.experiments.folder import check_place

        if to is not None:
            check_place(to, f"--to is {to}")
        checked = read_plan(plan, method)
        for text in checked.warnings:
            say(f"warning: {text}")
        with TemporaryDirectory(prefix="hypergossip-") if to is None else nullcontext(to) as place:
            folder.deploy(checked.on_this_machine(), Path(place), new_run=new_run, one_machine=True)
            failures = run_together(commands(checked, Path(place)), typer.echo)
        for failure in failures:
            say(str(failure))
        if failures:
            raise typer.Exit(1)
