"""Networks that change or are directed, and a problem of their agents."""

import hypergossip as hg
from hypergossip.networks import over_time

RING = hg.networks.ring(6)
ONE_WAY = [
    hg.networks.from_edges(6, [*((i, (i + 1) % 6) for i in range(6)), (0, 3), (0, 4)], directed=True),
    hg.networks.from_edges(6, [*(((i + 1) % 6, i) for i in range(6)), (2, 5)], directed=True),
]
HALVES = [hg.networks.from_edges(6, [(i, i + 1) for i in range(k, 5, 2)]) for k in (0, 1)]
CHANGING = {
    "links up": over_time.links_up(hg.networks.erdos_renyi(6, 0.6, seed=1), 0.5, seed=4),
    "one edge": over_time.random_edge(RING, seed=2**33 + 5),
    "matchings": over_time.random_matchings(hg.networks.erdos_renyi(6, 0.6, seed=1), seed=4),
    "all matchings": over_time.random_matchings(hg.networks.complete(6)),
    "in turn": over_time.in_turn(HALVES),
    "of several degrees": over_time.in_turn([hg.networks.star(6), RING, hg.networks.complete(6)]),
}
ONE_PEER = over_time.one_peer_exponential(6)
DIRECTED = {"directed": ONE_WAY[0], "directed in turn": over_time.in_turn(ONE_WAY)}
HUBS = {
    "links up on a star": over_time.links_up(hg.networks.star(40), 0.5),
    "one edge of a star": over_time.random_edge(hg.networks.star(40)),
    "a directed star": hg.networks.from_edges(40, [*((0, i) for i in range(1, 40)), (1, 2), (2, 0)], directed=True),
    "a star and a ring": over_time.in_turn([hg.networks.star(40), hg.networks.ring(40)]),
}
ORDER = [4, 0, 5, 2, 1, 3]
RENUMBERED = {f"{name}, renumbered": CHANGING[name].relabelled(ORDER) for name in CHANGING}
NETWORKS = CHANGING | DIRECTED | {"one peer": ONE_PEER}

PROBLEM = hg.problems.quadratic(6, 4, 3, noise=0.1)
STEPS = {"upper_step": 0.05, "lower_step": 0.3, "hypergradient": hg.Exact()}
DIAMOND = hg.Diamond(**STEPS, upper_momentum=0.3, lower_momentum=0.3)
PUSH_PULL = hg.GTSGDPushPull(**STEPS)
