"""The methods, one paper a file."""

from hypergossip.algorithms.diamond import Diamond
from hypergossip.algorithms.dsgd import DSGD
from hypergossip.algorithms.gtsgd import GTSGD
from hypergossip.algorithms.interact import Interact
from hypergossip.algorithms.msgd import MSGD
from hypergossip.algorithms.slam import Slam
from hypergossip.algorithms.svr_interact import SVRInteract

__all__ = ["DSGD", "GTSGD", "MSGD", "Diamond", "Interact", "SVRInteract", "Slam"]
