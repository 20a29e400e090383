"""The text of each agent's file, and of the observer's, from a plan."""

from collections.abc import Sequence
from typing import Any

from hypergossip.lab.configuration import Raw
from hypergossip.lab.deployment.addresses import is_loopback
from hypergossip.lab.deployment.agent_file import FILE, OBSERVER, STATE, certificate_table
from hypergossip.lab.deployment.plan import Plan
from hypergossip.lab.toml_text import write_toml


def agent_text(plan: Plan, number: int, run: str, certificate: str) -> str:
    """Returns the text of an agent's file.

    Args:
        plan: The plan.
        number: The agent's number.
        run: The identifier of the run.
        certificate: The beginning of the names of its certificate's files.
    """
    place = plan.places[number]
    tables: Raw = {
        "agent": {
            "name": place.name,
            "number": number,
            "agents": len(plan.places),
            "run": run,
            "listen": place.listen,
            "observers": [OBSERVER],
            "state": STATE,
        },
        "certificates": certificate_table(certificate),
        "run": {"rounds": plan.file.run.rounds, "seed": plan.file.run.seed, "precision": plan.precision},
        "peers": plan.file.peers.model_dump(exclude={"port"}),
    }
    if plan.program is None:
        tables |= {"problem": plan.raw["problem"], "methods": plan.raw["methods"]}
    elif plan.file.task is not None:
        function = plan.file.task.program.rpartition(":")[2]
        tables["task"] = {"program": f"{plan.program.name}:{function}"}
    if plan.file.channel:
        tables["channel"] = plan.raw["channel"]
    head = f"# Agent {place.name} of {plan.path.name}, written by `hypergossip deploy`; run it with\n"
    neighbours = _sections("neighbours", _neighbours(plan, number))
    return f"{head}# hypergossip agent --config {FILE}\n\n{write_toml(tables)}{neighbours}"


def watch_text(plan: Plan, run: str) -> str:
    """Returns the text of the observer's file.

    Args:
        plan: The plan.
        run: The identifier of the run.
    """
    loopback = all(is_loopback(place.host) for place in plan.places)
    tables: Raw = {"run": run, "loopback": loopback, "tls": certificate_table(OBSERVER)}
    neighbours: list[list[int]] = [[] for _ in plan.places]
    for i, j in plan.network.edges.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    sections = [
        {"name": one.name, "number": one.number, "address": one.address, "neighbours": sorted(neighbours[one.number])}
        for one in plan.places
    ]
    head = f"# The observer of {plan.path.name}, written by `hypergossip deploy`; watch it with\n"
    return f"{head}# hypergossip watch --config watch.toml\n\n{write_toml(tables)}{_sections('agents', sections)}"


def _sections(name: str, tables: Sequence[Raw]) -> str:
    """Returns flat tables as sections [[name]], so that a message can name the line of each option."""
    return "".join(f"\n[[{name}]]\n{write_toml(table)}" for table in tables)


def _neighbours(plan: Plan, number: int) -> list[dict[str, Any]]:
    """Returns the sections of an agent's neighbours; Metropolis weights are agreed by both ends and not written."""
    own = plan.network.mixing[[number]].tocoo()
    written = plan.network.weights != "metropolis"
    weights = {int(j): float(w) for j, w in zip(own.coords[1], own.data, strict=True) if w != 0 and j != number}
    return [
        {
            "name": plan.places[j].name,
            "number": j,
            "address": plan.places[j].address,
            "weight": weight if written else None,
        }
        for j, weight in sorted(weights.items())
    ]
