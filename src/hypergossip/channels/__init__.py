"""Channels: what may stand between an algorithm and its network (docs/channels.md)."""

from hypergossip.channels.coding import Quantize, RandomK, TopK
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.fading import Fading
from hypergossip.channels.loss import GilbertElliott, Loss
from hypergossip.channels.noise import Noise
from hypergossip.channels.privacy import PrivacyNoise, messages_in_a_round, noise_multiplier_for

__all__ = [
    "CommonCopy",
    "Delay",
    "EdgeSums",
    "Fading",
    "GilbertElliott",
    "Loss",
    "Noise",
    "PrivacyNoise",
    "Quantize",
    "RandomK",
    "TopK",
    "messages_in_a_round",
    "noise_multiplier_for",
]
