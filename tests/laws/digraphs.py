"""Directed networks of the laws' agents: one, and three in turn."""

from hypergossip.networks import from_edges, over_time
from laws.problems import AGENTS

CIRCLE = [(i, (i + 1) % AGENTS) for i in range(AGENTS)]
EDGES = [*CIRCLE, (0, 4), (6, 2)]
DIRECTED = from_edges(AGENTS, EDGES, directed=True)
TURNED = from_edges(AGENTS, [(j, i) for i, j in CIRCLE] + [(1, 4)], directed=True)
THIRD = from_edges(AGENTS, [*CIRCLE, (3, 7)], directed=True)
DIGRAPHS = {"one digraph": DIRECTED, "three in turn": over_time.in_turn([DIRECTED, TURNED, THIRD])}
