"""Agents that join a run, or leave it: what is refused, and which of the others must be restarted."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from hypergossip.lab.deployment.agent_file import FILE
from hypergossip.lab.deployment.plan import Plan


def refuse_changed_numbers(plan: Plan, before: Sequence[str]) -> None:
    """Raises ValueError if a run cannot continue with the agents of a plan.

    Args:
        plan: The plan.
        before: The names of the run's agents so far, in the order of their numbers.
    """
    numbers = {name: i for i, name in enumerate(before)}
    for place in plan.places:
        if (known := numbers.get(place.name, place.number)) != place.number:
            raise ValueError(
                f"{place.name} is agent {known} of this run and would be agent {place.number}, but agents that run "
                "know their neighbours by these numbers; keep the order of the agents and add others at the end, or "
                "begin again with --new-run."
            )
        if place.number < len(before) and place.name not in numbers:
            raise ValueError(
                f"{place.name} would be agent {place.number}, which is {before[place.number]} in this run; add it at "
                "the end, or begin again with --new-run."
            )


Neighbour = tuple[str, str, float | None]  # name, address, given weight


def neighbours(folder: Path, names: Sequence[str]) -> dict[str, set[Neighbour]]:
    """Returns the agents' names -> what they know of their neighbours, in files that exist and can be read.

    Args:
        folder: The folder of a deployment.
        names: The agents' names.
    """
    found = {}
    for name in names:
        try:
            file = tomllib.loads((folder / name / FILE).read_text(encoding="utf-8"))
            known = file.get("neighbours", [])
            found[name] = {(one["name"], one["address"], one.get("weight")) for one in known}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is written anew, and then differs
    return found


def advice(plan: Plan, before: dict[str, set[Neighbour]], after: dict[str, set[Neighbour]]) -> tuple[str, ...]:
    """Returns what to do with agents that run, if their neighbours, their places or the links' weights have changed.

    Args:
        plan: The plan.
        before: The agents' names -> what they know of their neighbours, before the deployment.
        after: The same, now.
    """
    new = [name for name in after if name not in before]
    changed = [name for name in before if name in after and after[name] != before[name]]
    if set(before) != set(after) and plan.program is None:  # each builds the problem, for all agents
        changed = [name for name in before if name in after]
    if not changed:
        return ()
    start = f", and start {', '.join(new)} at any time" if new else ""
    return (
        f"agents that run read their files only at their start: copy the new folders, and restart {', '.join(changed)} "
        f"one after the other, so that each continues from its checkpoint and the others continue meanwhile{start}.",
    )
