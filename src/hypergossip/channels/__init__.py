"""Channels: what may stand between an algorithm and its network (docs/channels.md)."""

from hypergossip.channels.coding import Quantize, RandomK, TopK
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.fading import Fading
from hypergossip.channels.loss import GilbertElliott, Loss
from hypergossip.channels.noise import Noise

__all__ = [
    "CommonCopy",
    "Delay",
    "EdgeSums",
    "Fading",
    "GilbertElliott",
    "Loss",
    "Noise",
    "Quantize",
    "RandomK",
    "TopK",
]
