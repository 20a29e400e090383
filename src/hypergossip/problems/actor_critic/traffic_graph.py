"""The graph of the traffic signals of a road network, which is the communication graph of their agents."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import numpy as np

from hypergossip.problems.actor_critic.traffic import find_roads
from hypergossip.support.extras import require


def traffic_graph(net: str = "grid4x4") -> Any:
    """Returns the graph in which two signals are neighbours if a road leads from one to the other.

    The road passes no third signal, and one direction suffices. ``hg.networks.from_networkx(traffic_graph("grid4x4"))``
    is the network, whose agents have the names of the signals, and a problem's agents are paired with them by name.

    Args:
        net: The road network, as for `traffic_signals`.

    Returns:
        A `networkx.Graph` whose nodes are the names of the signals. Their attributes "x" and "y" are the positions in
        metres, the mean over the junctions that a signal controls.

    Raises:
        MissingExtra: If NetworkX is not installed, or sumo_rl, which has RESCO's networks. The extra "traffic" installs
            them.
        ValueError: If there is no such network or file, or it has no signal.
    """
    networkx = require("networkx", "traffic", "A graph of traffic signals")
    file = find_roads(net).net
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{file} is not a road network of SUMO: {error}; make one with netconvert.") from None
    ahead, signal = _connections(root)
    if not signal:
        raise ValueError(f"{file} has no traffic signal, so no agent; give a road network with signals.")
    graph = networkx.Graph()
    for name, (x, y) in _positions(root, signal).items():
        graph.add_node(name, x=x, y=y)
    for name, out in _outgoing(root).items():
        graph.add_edges_from((name, other) for other in _reached(out, ahead, signal) if other != name)
    return graph


def _connections(root: Any) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Returns the roads to which each road leads, and the signal at the end of each road that has one."""
    ahead: dict[str, set[str]] = defaultdict(set)
    signal = {}
    for one in root.iter("connection"):
        if not one.get("from").startswith(":"):  # others lie within a junction
            ahead[one.get("from")].add(one.get("to"))
            if one.get("tl") is not None:
                signal[one.get("from")] = one.get("tl")
    return ahead, signal


def _outgoing(root: Any) -> dict[str, set[str]]:
    """Returns the roads onto which each signal lets vehicles."""
    out: dict[str, set[str]] = defaultdict(set)
    for one in root.iter("connection"):
        if one.get("tl") is not None:
            out[one.get("tl")].add(one.get("to"))
    return out


def _reached(start: Iterable[str], ahead: dict[str, set[str]], signal: dict[str, str]) -> set[str]:
    """Returns the first signals on all ways that begin with these roads."""
    found, seen, waiting = set(), set(start), list(start)
    while waiting:
        road = waiting.pop()
        if road in signal:
            found.add(signal[road])
            continue
        fresh = ahead.get(road, set()) - seen
        seen |= fresh
        waiting += fresh
    return found


def _positions(root: Any, signal: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Returns the position of every signal, in the order in which the file has the signals' programs."""
    place = {one.get("id"): (float(one.get("x")), float(one.get("y"))) for one in root.iter("junction")}
    junctions: dict[str, set[str]] = {one.get("id"): set() for one in root.iter("tlLogic")}
    for edge in root.iter("edge"):
        if edge.get("id") in signal:
            junctions.setdefault(signal[edge.get("id")], set()).add(edge.get("to"))
    mean = lambda ends: np.mean([place[end] for end in sorted(ends)], axis=0)
    return {name: (float(at[0]), float(at[1])) for name, ends in junctions.items() if ends for at in [mean(ends)]}
