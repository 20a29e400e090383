"""Which networks a channel can work on."""

from typing import Any

from hypergossip.channels.channel import Channel
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.loss import Lossy
from hypergossip.channels.stack import Stack


def check_network(channel: Stack | None, network: Any) -> None:
    """Raises ValueError if a channel meets a network on which it cannot work.

    Args:
        channel: The channel, or None.
        network: The network.
    """
    if channel is None:
        return
    if network.symmetric and not network.one_matrix:
        raise ValueError(
            f"the channel {channel} needs one matrix of weights, but this network pushes values with others; use "
            "networks.from_mixing without push, or run without a channel."
        )
    if not network.symmetric:
        raise ValueError(
            f"the channel {channel} acts on links in both directions, but this network's weights are not symmetric "
            f"({network.fault('symmetric')}); use a network with symmetric weights, or run without a channel."
        )
    if network.schedule is None:
        return
    for part in channel.stages:
        if reason := _needs_links(part):
            raise ValueError(
                f"channel: {reason}, but the links of this network change ({network.name}). Use a network that is the "
                "same in every round; hg.channels.Loss(probability), with symmetric=True as by default, takes an edge "
                "down for both directions, and its weight stays the same."
            )


def _needs_links(part: Channel) -> str:
    """Returns why a stage needs links that are there in every round, or an empty text if it does not."""
    if isinstance(part, EdgeSums):
        return "EdgeSums needs the same weight for an edge in every round"
    if isinstance(part, CommonCopy):
        return "CommonCopy needs links that deliver every message"
    if isinstance(part, Delay) or (isinstance(part, Lossy) and part.replace == "last"):
        return f"{part!r} uses a message in a later round"
    return ""
