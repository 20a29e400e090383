"""Networks: graphs, mixing weights, and the spectrum that determines the speed of averaging."""

from hypergossip.networks import over_time
from hypergossip.networks.changing import AnyNetwork, NetworkOverTime
from hypergossip.networks.files import from_file, read_graph
from hypergossip.networks.from_matrix import from_edges, from_mixing, from_networkx
from hypergossip.networks.graphs import (
    complete,
    directed_exponential,
    directed_ring,
    exponential,
    grid,
    hypercube,
    path,
    ring,
    single,
    star,
    torus,
)
from hypergossip.networks.network import Network
from hypergossip.networks.random_graphs import erdos_renyi, random_regular, small_world
from hypergossip.networks.weights import WEIGHTS

__all__ = [
    "WEIGHTS",
    "AnyNetwork",
    "Network",
    "NetworkOverTime",
    "complete",
    "directed_exponential",
    "directed_ring",
    "erdos_renyi",
    "exponential",
    "from_edges",
    "from_file",
    "from_mixing",
    "from_networkx",
    "grid",
    "hypercube",
    "over_time",
    "path",
    "random_regular",
    "read_graph",
    "ring",
    "single",
    "small_world",
    "star",
    "torus",
]
