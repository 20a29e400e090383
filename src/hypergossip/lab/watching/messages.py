"""What the page is sent: the network and its histories once, then what has changed, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from hypergossip.lab.watching import summary, units
from hypergossip.lab.watching.collector import AgentView, Collector, NetworkView
from hypergossip.lab.watching.reports import dropped, finite, missed

DIGITS = 6  # significant digits of a number in a curve
POINTS = 240  # of an agent's curve, at first


def start(collector: Collector, places: Mapping[int, tuple[float, float]]) -> dict[str, Any]:
    """Returns the network, its drawing, and the histories so far.

    Args:
        collector: The collector.
        places: Where each agent stands in the drawing.
    """
    plan = collector.plan
    histories = collector.histories()
    return {
        "run": plan.run,
        "columns": summary.COLUMNS,
        "agents": [
            {
                "number": a.number,
                "name": a.name,
                "address": a.address,
                "x": places[a.number][0],
                "y": places[a.number][1],
            }
            for a in plan.agents
        ],
        "edges": plan.edges(),
        "histories": {number: _thinned([_point(*row[:5]) for row in rows]) for number, rows in histories.items()},
    }


def now(collector: Collector, advice: str = "") -> dict[str, Any]:
    """Returns the state of every agent and every edge.

    Args:
        collector: The collector.
        advice: A sentence if nobody answers.
    """
    view = collector.view()
    return {
        "time": round(view.time, 2),
        "ended": view.ended,
        "advice": advice,
        "lines": summary.network_lines(view),
        "agents": [_agent(agent, view) for agent in view.agents],
        "edges": [edge._asdict() for edge in summary.edges(collector.plan, view)],
    }


def encoded(message: dict[str, Any]) -> bytes:
    """Returns a `message` as JSON on one line."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode()


def _agent(agent: AgentView, view: NetworkView) -> dict[str, Any]:
    texts = summary.cells(agent)
    found = {"number": agent.agent.number, "condition": agent.condition, "cells": texts, "point": None, "note": ""}
    report = agent.report
    if report is None or agent.age is None:
        return {**found, "note": f"{agent.agent.name}: never heard, at {agent.agent.address}"}
    time = view.time - agent.age
    point = _point(time, report.round, report.upper_loss, report.lower_loss, report.invariant)
    note = [f"{agent.agent.name}: {texts['state']}", f"round {texts['round']}", f"policy {report.policy}"]
    note += [f"missed {missed(report):,}", f"dropped {units.reasons(dropped(report))}"]
    note += [f"neighbours {', '.join(map(summary.link_text, report.links)) or 'none'}"]
    after = "" if report.invariant_round is None else f" after round {report.invariant_round:,}"
    note += [f"invariant {texts['invariant']}{after}"]
    note += [f"heard {units.seconds(agent.age)} ago", f"reports refused {agent.refused:,}"]
    alarm = f". Alarm: {report.alarm}" if report.alarm else ""
    return {**found, "point": point, "note": ", ".join(note) + alarm}


def _point(time: float, round_: int, *values: float | None) -> list[Any]:
    rounded = [v if v is None else finite(float(f"{v:.{DIGITS}g}")) for v in values]
    return [round(time, 2), round_, *rounded]


def _thinned(points: list[Any]) -> list[Any]:
    step = -(-len(points) // POINTS) or 1
    return points[::step] + (points[-1:] if (len(points) - 1) % step else [])
