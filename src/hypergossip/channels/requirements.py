"""Which channels a method can work with: combinations that are refused, and those that are wrong in the long run.

The reasons are measured in docs/channels.md. Averages forget an error; trackers and dual variables are running sums and
keep it, so a channel must leave what an edge does to its two ends equal and opposite in the long run.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.channels.channel import Channel
from hypergossip.channels.coding import FewEntries, Quantize
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.contract import check_stages
from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.fading import Fading
from hypergossip.channels.loss import Lossy
from hypergossip.channels.network import check_network
from hypergossip.channels.noise import Noise
from hypergossip.channels.privacy import PrivacyNoise
from hypergossip.channels.stability import coarse
from hypergossip.channels.stack import Stack
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.messages import Message

REPEATED = (
    "a compiled function that calls mix is called several times in a step, and JAX traces it only once, so that its "
    "messages would have the same random numbers; call mix in the step itself"
)

# Loss times the largest eigenvalue of I - W up to which running sums were stable when measured: stable
# at 0.67 on a ring of 8 and at 0.61 on a random graph of 9, unstable at 0.93 and 0.97.
LARGEST_GAP = 0.8

LEAST_GAMMA = 0.001  # a smaller consensus step is no advice


class ChannelWarning(UserWarning):
    """A channel under which a run goes to a wrong point in the long run, or has gone to one."""


def check_stateful(channel: Stack | None, messages: Sequence[Message], name: str = "the method") -> None:
    """Raises ValueError if a stage is malformed, or the channel cannot treat the messages of a loop one by one.

    Args:
        channel: The channel, or None.
        messages: The messages of a round.
        name: The name of the method that sends them.
    """
    if channel is None:
        return
    for sizes, dtype, numbers in {((one.upper, one.lower), one.dtype, one.numbers) for one in messages}:
        check_stages(channel, sizes, dtype, numbers)
    repeated = [message for message in messages if message.times > 1]
    # A loop of a single turn is traced like any other, so its messages cannot pass on the state of the links either.
    if not channel.stateless and any(message.nested or message.times > 1 for message in messages):
        raise ValueError(inside(channel, name))
    private = any(isinstance(part, PrivacyNoise) for part in channel.stages)
    if private and not all(message.numbered for message in repeated):
        raise ValueError(
            f"the channel {channel}: mix is called in a loop without the number of the call, so all messages of the "
            "loop have the same noise and their differences are not private; pass the iteration k as mix(..., call=k)."
        )


def inside(channel: Stack | None, name: str) -> str:
    """Returns why a method that sends its messages inside a loop cannot be used with a channel that has a state.

    Args:
        channel: The channel, or None if it is not known here.
        name: The name of the method.
    """
    stages = [type(part).__name__ for part in channel.stages if not Stack((part,)).stateless] if channel else []
    return (
        f"{name} cannot be used with {' and '.join(stages) or 'a channel that has a state'}: it calls mix inside a "
        "loop, a branch or a compiled function, where the channel cannot keep its state from one message to the next. "
        "Use another method, or a channel without a state, such as Loss or Noise; if the method is your own, call mix "
        "in the step itself."
    )


def check_calls(error: Exception, channel: Stack | None, name: str) -> None:
    """Raises ValueError if an error came from a method that calls `mix` where a channel cannot keep its state.

    Args:
        error: The error.
        channel: The channel, or None.
        name: The method's name.
    """
    if isinstance(error, jax.errors.UnexpectedTracerError):
        raise ValueError(inside(channel, name)) from error


def check_channel(
    name: str, method: Algorithm, channel: Stack | None, network: Any, sizes: tuple[int, int] = (0, 0)
) -> list[str]:
    """Returns warnings about a method under a channel, or refuses the combination.

    Args:
        name: The method's name.
        method: The method.
        channel: The channel, or None.
        network: The network.
        sizes: The numbers of entries of x and of y that the network shares.

    Raises:
        ValueError: If the combination cannot work.
    """
    if channel is None:
        return []
    check_order(channel)
    check_network(channel, network)
    check_stages(channel, sizes, jnp.float32)
    vectors = method.vectors
    sums = "trackers" if vectors.masses else "dual variables" if vectors.differences else ""
    refusal = next(_refusals(name, sums, vectors, channel, network), None)
    if refusal is not None:
        raise ValueError(refusal)
    return [
        *_long_gaps(name, channel, network),
        *([] if vectors.differences else _coarse_codes(name, channel, network, sizes)),
        *(_warnings(name, sums, channel) if sums else []),
    ]


def check_order(channel: Stack) -> None:
    """Raises ValueError if the stages of a channel stand in an order in which they cannot work.

    Args:
        channel: The channel.
    """
    stages = channel.stages
    for kind in (EdgeSums, CommonCopy, PrivacyNoise, Delay):
        if sum(isinstance(part, kind) for part in stages) > 1:
            raise ValueError(f"channel: there are several {kind.__name__}; give one.")
    if behind := [part for part in stages[1:] if isinstance(part, PrivacyNoise)]:
        raise ValueError(f"channel: {_not_first(stages[0])}; put {behind[0]!r} before it, as the first stage.")
    private = isinstance(stages[0], PrivacyNoise)
    if any(isinstance(part, EdgeSums) for part in stages[2 if private else 1 :]):
        raise ValueError(
            "channel: EdgeSums sums what the agent sends, so it must be the first stage, or follow PrivacyNoise."
        )
    if alone := [part for part in stages if isinstance(part, FewEntries)]:
        raise ValueError(
            f"channel: {alone[0]!r} sends a few entries, and a receiver would use zero for the others; put "
            "CommonCopy() before it, so that it sends a few entries of the difference from a common copy."
        )
    if _has_sums(stages) and any(isinstance(part, Lossy) and part.replace != "own" for part in stages):
        raise ValueError(
            "channel: EdgeSums makes up for a lost message with the next one, so nothing else may replace it; give "
            'Loss and GilbertElliott replace="own".'
        )


def _not_first(first: Channel) -> str:
    """Returns why a stage cannot stand before PrivacyNoise."""
    if isinstance(first, EdgeSums):
        return (
            "PrivacyNoise would clip the running sums of EdgeSums, which grow from round to round, so that soon only "
            "their direction would arrive"
        )
    if isinstance(first, CommonCopy):
        return (
            "PrivacyNoise would change the differences that CommonCopy sends, so that sender and receiver would hold "
            "different copies"
        )
    return f"PrivacyNoise acts on the agent's own vectors, but {first!r} stands before it"


def _has_sums(stages: Sequence[Channel]) -> bool:
    return any(isinstance(part, EdgeSums) for part in stages)


def _refusals(name: str, sums: str, vectors: Any, channel: Stack, network: Any) -> Any:
    """Yields why a combination cannot work."""
    stages, edge_sums = channel.stages, _has_sums(channel.stages)
    copies = [k for k, part in enumerate(stages) if isinstance(part, CommonCopy)]
    for part in stages[copies[0] + 1 :] if copies else ():
        yield (
            f"channel: CommonCopy needs a reliable link, but {part!r} stands behind it. After one message that does "
            "not arrive as it was sent, sender and receiver hold different copies, and the agents never agree."
        )
    for part in stages:
        if isinstance(part, Fading) and not part.pilot and not part.harmless and sums:
            yield (
                f"{name} keeps running sums ({sums}), and gains without a pilot pull them to zero or let them wander, "
                "whatever the problem; use Fading(..., pilot=True)."
            )
        if isinstance(part, Fading) and part.std > 0 and edge_sums:
            yield (
                "channel: EdgeSums sends running sums, which grow from round to round, and a random gain multiplies "
                "them, so that the errors grow, too; leave EdgeSums out, and use Fading(..., pilot=True, "
                "reciprocal=True), which changes no sum."
            )
        if isinstance(part, Delay) and part.rounds:
            yield from _delay_refusals(name, vectors, part, edge_sums, network)


def _delay_refusals(name: str, vectors: Any, part: Delay, edge_sums: bool, network: Any) -> Any:
    """Yields why a method cannot work with a delay."""
    if vectors.differences and part.own == "fresh":
        yield (
            f"{name} integrates the difference between an agent and its neighbours. If they are of different ages, it "
            "converges to a wrong point between the optimum and the starting point; use Delay(..., "
            'own="same"), or put EdgeSums() before it.'
        )
    if network.mixing.data.min() < 0 and not edge_sums:
        yield (
            f"the weights of this network ({network.weights}) are partly negative, and averages of delayed messages "
            'with such weights need not converge; use weights="metropolis".'
        )
    if part.own == "same" and not vectors.differences:
        # x+ = x - (I - W) x_{-k} is stable if and only if the eigenvalues of I - W are below 2 sin(pi / (4 k + 2)).
        bound = 2 * math.sin(math.pi / (4 * part.rounds + 2))
        largest = 1 - network.smallest_eigenvalue
        if largest >= bound:
            yield (
                f"{name} diverges on this network if both sides of a difference are {part.rounds} rounds old: the "
                f"largest eigenvalue of I - W is {largest:.3g}, and averages converge only below {bound:.3g}; use "
                f"lazier weights, such as I - s (I - W) with s = {0.5 * bound / largest:.2g}, or Delay(...) with a "
                "fresh own value and without EdgeSums."
            )


def _long_gaps(name: str, channel: Stack, network: Any) -> list[str]:
    """Returns a warning if running sums make up for long gaps at once, with weights that are too large for that."""
    if not _has_sums(channel.stages):
        return []
    lossy = [part for part in channel.stages if isinstance(part, Lossy)]
    worst = max(lossy, key=lambda part: part.repeated_loss, default=None)
    if worst is None:
        return []
    largest = 1 - network.smallest_eigenvalue
    if worst.repeated_loss * largest <= LARGEST_GAP:
        return []
    return [
        f"{name} is likely to diverge: after a lost message the next one is lost with probability "
        f"{worst.repeated_loss:.2g} ({worst!r}), and EdgeSums then makes up for a long gap at once. Use lazier "
        f"weights, such as I - s (I - W) with s = {0.5 * LARGEST_GAP / (worst.repeated_loss * largest):.2g}."
    ]


def _coarse_codes(name: str, channel: Stack, network: Any, sizes: tuple[int, int]) -> list[str]:
    """Returns a warning if averages of coded differences need not converge with the gamma of a common copy."""
    found = []
    for part in channel.stages:
        if not isinstance(part, CommonCopy) or (known := coarse(part, sizes, network)) is None:
            continue
        gamma, code = 0.5 * known.bound, ", ".join(map(repr, part.codings))
        limit, remedy = (
            f"only for a gamma below {known.bound:.2g}",
            f"use CommonCopy(gamma={gamma:.2g}) or a finer code",
        )
        if gamma < LEAST_GAMMA:
            limit, remedy = "for no gamma", "use a finer code"
        found.append(
            f"{name} may diverge: {code} changes a difference by {known.error:.0%} of its size, and with such errors "
            f"averages on this network are known to converge {limit} (it is {part.gamma:g}); {remedy}."
        )
    return found


def _warnings(name: str, sums: str, channel: Stack) -> list[str]:
    """Returns one warning for each stage under which running sums are wrong in the long run."""
    stages, found = channel.stages, []
    edge_sums = _has_sums(stages)
    for part in stages:
        reason = None
        if isinstance(part, Lossy) and part.loss_rate > 0 and not edge_sums:
            if not part.symmetric:
                reason = "a loss in one direction alone"
            elif part.replace == "renormalise" or part.replace == "last":
                reason = f'replace="{part.replace}"'
        if isinstance(part, Noise) and part.std > 0 and not edge_sums:
            reason = "noise"
        remedy = "put hg.channels.EdgeSums() before it"
        if isinstance(part, Fading) and part.pilot and part.std > 0 and not part.reciprocal:
            reason = "a gain that differs between the two directions"
            remedy = "measure the gain once for both directions (reciprocal=True)"
        if isinstance(part, Quantize) and (part.width is None or not edge_sums):
            reason = "rounding of the message itself"
            remedy = f"put hg.channels.CommonCopy() {'in the place of EdgeSums()' if edge_sums else 'before it'}"
        if reason:
            found.append(
                f"{name}: {reason} changes the sum over the network of its {sums}, and nothing ever takes that out "
                f"again, so the agents go to a wrong point in the long run ({part!r}); {remedy}."
            )
    return found
