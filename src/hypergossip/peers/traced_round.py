"""One agent's round as a traced function, in which its messages stand out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

from hypergossip.channels.stack import Neighbourhood, Stack
from hypergossip.core.algorithm import Cost
from hypergossip.core.flat_messages import Spaces, mix_through
from hypergossip.core.random_keys import hashed
from hypergossip.engines.keys import INIT_ROUND, agent_key
from hypergossip.engines.links import Delivered, Linked, Sender, channel_key, mix_by
from hypergossip.support.compilation import compiled

EXCHANGE = Primitive("exchange")
EXCHANGE.multiple_results = True


class Here(NamedTuple):
    """What an agent's round depends on besides its state, all arrays.

    Attributes:
        algorithm: The agent's program.
        oracles: The agent's oracles.
        key: The run's key.
        links: The agent, its neighbours' identities and their weights.
    """

    algorithm: Any
    oracles: Any
    key: Any
    links: Neighbourhood


@EXCHANGE.def_abstract_eval
def _shapes_of_exchange(vector: Any, own: Any, *, degree: int, place: int, dated: bool) -> list[Any]:
    many = vector.update(shape=(degree, *vector.shape))
    return [many, many, vector.update(shape=(degree,), dtype=np.dtype(bool), weak_type=False)] if dated else [many]


def traced_round(
    spaces: Spaces, channel: Stack | None, degree: int, dated: bool = False, exchange: Any = None
) -> Callable[[Here, Any, Any], tuple[Any, Any]]:
    """Returns one agent's round as a function of `Here`, the round's number and its state.

    Args:
        spaces: The spaces of x and y.
        channel: The channel, or None.
        degree: The number of links, the same for all agents; surplus ones have weight zero.
        dated: Whether messages may be missing or of an earlier round, so that each is compared with the agent's own
            of the same round; False: all have come.
        exchange: (vector, own, place) -> the neighbours' vectors and, if dated, what each is compared with and whether
            it has come; None: the primitive at which the round is cut.
    """

    def cut_here(vector: Any, own: Any, place: int) -> list[Any]:
        return EXCHANGE.bind(vector, own, degree=degree, place=place, dated=dated)

    exchanged = exchange or cut_here

    def round_of_agent(here: Here, round: Any, state: Any) -> tuple[Any, Any]:
        identity = here.links.identity
        key, sent = agent_key(here.key, round, identity), []

        def received(vector: Any, own: Any) -> Delivered:
            sent.append(None)
            come = exchanged(vector, own, len(sent) - 1)
            return Delivered(*come) if dated else Delivered(come[0], own)

        if channel is None:

            def average(vector: Any, call: Any, _: str | None) -> Any:
                theirs, own, arrived = received(vector, vector)
                weights, differences = here.links.weights.astype(vector.dtype), theirs - own
                if dated:
                    differences = jnp.where(arrived[:, None], differences, 0)
                return vector + weights @ differences

            after, cost = here.algorithm.step(here.oracles, mix_through(spaces, average), round, state, key)
        else:
            of_round = hashed(channel_key(here.key), round, np.uint32(0))
            sender = Sender(channel, state.links, of_round, here.links, lambda m: received(m.vector, m.own))
            after, cost = here.algorithm.step(here.oracles, mix_by(spaces, sender.send), round, state.agents, key)
            after = Linked(after, sender.links)
        return after, Cost(*cost.as_arrays())

    return round_of_agent


@compiled()
def initial_state(here: Here, x: Any, y: Any) -> Any:
    """Returns the agent's state of the method before round 0.

    Args:
        here: The agent.
        x: Its starting point, (p,).
        y: Likewise, (q,).
    """
    return here.algorithm.init(here.oracles, x, y, agent_key(here.key, INIT_ROUND, here.links.identity))
