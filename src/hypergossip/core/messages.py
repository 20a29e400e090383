"""The messages of a round, derived from an algorithm's `step`: their number, their sizes and their contents."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Primitive, jaxpr_as_fun

from hypergossip.core.algorithm import Algorithm, Count, Lower, Mix, Oracles, Sample, Upper, Vector
from hypergossip.core.flat_messages import Spaces, flat_factors, mix_through, number_of
from hypergossip.core.loop_turns import fixed_turns
from hypergossip.core.shapes_only import ShapesOnly

Entries = tuple[int, int, int]  # of the upper level, of the lower level, and the numbers

# Marks the calls of `mix` in a traced step. It is the identity, and records how many entries of each kind are sent.
MIX = Primitive("mix")
MIX.def_impl(lambda buffer, **_: buffer)
MIX.def_abstract_eval(lambda buffer, **_: buffer)


class Message(NamedTuple):
    """A message that an agent sends to each of its neighbours.

    Attributes:
        upper: The number of entries of the upper level.
        lower: The number of entries of the lower level.
        dtype: Their type.
        times: How often a round sends such a message, for example in a loop.
        numbered: Whether the messages of a loop have different numbers (`call`), which are not known here.
        numbers: The number of entries that belong to no level.
        again: Whether it contains the same vectors as the message before it, a step later.
        nested: Whether it is sent inside a loop, a branch or a compiled function, even if that runs only once.
    """

    upper: int
    lower: int
    dtype: Any
    times: int = 1
    numbered: bool = False
    numbers: int = 0
    again: bool = False
    nested: bool = False

    @property
    def entries(self) -> int:
        """The number of all entries."""
        return self.upper + self.lower + self.numbers

    @property
    def bytes(self) -> int:
        """The bytes of one such message."""
        return self.entries * self.dtype.itemsize


def messages(algorithm: Algorithm, spaces: Spaces, agent: Oracles, x: Upper, y: Lower) -> tuple[Message, ...]:
    """Returns the messages of an agent in a round, in order. Nothing is computed, and a second call traces nothing.

    The losses do not affect the messages and are not traced: in the traced program the oracles return zeros. Entries
    that a problem does not share are not part of a message, and an empty message is not sent.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        agent: An agent's oracles, or their shapes and types.
        x: The starting point, (p,), or its shape and type.
        y: (q,) likewise.

    Raises:
        ValueError: If the number of messages cannot be determined, because `mix` is called in a loop whose number of
            iterations is not fixed, or in a branch whose alternative sends something else; or if a message that is
            sent again has other vectors than the one before it.
    """
    try:
        program = _round.trace(algorithm, spaces, True, agent, x, y, jax.random.key(0))
    except Exception:  # it uses attributes outside the contract, which the agent's own oracles may have
        program = _round.trace(algorithm, spaces, False, agent, x, y, jax.random.key(0))
    return _consistent(_sent(program.jaxpr.jaxpr))


def messages_by_running(
    algorithm: Algorithm, spaces: Spaces, agent: Oracles, x: Upper, y: Lower
) -> tuple[Message, ...]:
    """Returns the same as `messages`, from a round run without compilation, for a step that depends on concrete values.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        agent: An agent's oracles.
        x: The starting point, (p,).
        y: (q,) likewise.
    """
    found: list[Message] = []

    def keep(buffer: Vector, entries: Entries, call: Count, again: bool) -> Vector:
        found.append(Message(*entries[:2], dtype=buffer.dtype, numbers=entries[2], again=again))
        return buffer

    with jax.disable_jit():
        _step(algorithm, ShapesOnly(agent), _marked(spaces, keep), x, y, jax.random.key(0))
    return _consistent(found)


def first_message(algorithm: Algorithm, spaces: Spaces, agent: Oracles, round: Any, state: Any, key: Sample) -> Vector:
    """Returns the buffer that the first `mix` of a round sends: the shared entries, upper level first.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        agent: Its oracles.
        round: The round.
        state: The agent's state before the round.
        key: The agent's key.

    Returns:
        One flat vector, which is empty if the round sends nothing.

    Raises:
        ValueError: If the first `mix` is inside a branch.
    """
    step = lambda state: algorithm.step(agent, _marked(spaces, _mark), round, state, key)
    program = jax.make_jaxpr(step)(state)
    if not _sent(program.jaxpr):
        return jnp.zeros(0)
    return _until_mix(program.jaxpr, program.consts, jax.tree.leaves(state))


@partial(jax.jit, static_argnums=(1, 2))
def _round(algorithm: Algorithm, spaces: Spaces, quick: bool, agent: Oracles, x: Any, y: Any, key: Sample) -> Any:
    return _step(algorithm, ShapesOnly(agent) if quick else agent, _marked(spaces, _mark), x, y, key)


def _step(algorithm: Algorithm, agent: Any, mix: Mix, x: Any, y: Any, key: Sample) -> Any:
    return algorithm.step(agent, mix, jnp.zeros((), jnp.int32), algorithm.init(agent, x, y, key), key)[0]


def _mark(buffer: Vector, entries: Entries, call: Count, again: bool) -> Vector:
    return MIX.bind(buffer, entries=entries, numbered=isinstance(call, Tracer), again=again)


def _marked(spaces: Spaces, send: Callable[[Vector, Entries, Count, bool], Vector]) -> Mix:
    """Makes a `mix` whose `send` receives the buffer, its numbers of entries, the number of the call, and `again`."""

    def mix(
        *,
        upper: Any = (),
        lower: Any = (),
        numbers: Any = (),
        call: Count = 0,
        weights: str | None = None,
        again: bool = False,
        factors: Any = None,
    ) -> Any:
        flat_factors(spaces, (upper, lower, numbers), factors)  # a mistake is found before a run, whatever the channel
        counts = [space.shared_size * len(jax.tree.leaves(tree)) for space, tree in zip(spaces, (upper, lower))]
        entries = counts[0], counts[1], number_of(numbers)
        through = mix_through(spaces, lambda buffer, call, _: send(buffer, entries, call, again))
        return through(upper=upper, lower=lower, numbers=numbers, call=call, weights=weights)

    return mix


def _sent(jaxpr: Jaxpr) -> list[Message]:
    return [message for eqn in jaxpr.eqns for message in _sent_by(eqn)]


def _sent_by(eqn: JaxprEqn) -> list[Message]:
    """Returns the messages of one equation of a traced step."""
    if eqn.primitive is MIX:
        buffer: Any = eqn.invars[0].aval
        upper, lower, numbers = eqn.params["entries"]
        known = {name: eqn.params[name] for name in ("numbered", "again")}
        return [Message(upper, lower, buffer.dtype, numbers=numbers, **known)]
    parts = [[message._replace(nested=True) for message in _sent(inner)] for inner in inside(eqn)]
    if not any(parts):
        return []
    if eqn.primitive.name == "cond":
        if any(part != parts[0] for part in parts):
            raise ValueError(
                "mix is called in a branch (jax.lax.cond or switch) whose alternative sends something else; every "
                "branch must send the same, so call mix before the branch."
            )
        return parts[0]
    together = [message for part in parts for message in part]
    if eqn.primitive.name in ("scan", "while"):
        turns = eqn.params["length"] if eqn.primitive.name == "scan" else fixed_turns(eqn)
        return [message._replace(times=message.times * turns) for message in together]
    return together


def _consistent(found: list[Message]) -> tuple[Message, ...]:
    """Returns the messages, or raises ValueError if one that is sent again is not like the one before it."""
    sizes = [(one.upper, one.lower, one.numbers, one.dtype) for one in found]
    for k, one in enumerate(found):
        if one.again and (k == 0 or sizes[k] != sizes[k - 1]):
            raise ValueError(
                "mix(..., again=True) sends other vectors than the mix before it; give the same ones in the same order."
            )
    return tuple(found)


def inside(eqn: JaxprEqn) -> list[Jaxpr]:
    """Returns the programs inside an equation, such as the body of a loop.

    Args:
        eqn: The equation.
    """
    found = []
    for value in eqn.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, ClosedJaxpr):
                found.append(part.jaxpr)
            elif isinstance(part, Jaxpr):
                found.append(part)
    return found


def _until_mix(jaxpr: Jaxpr, consts: Any, arguments: list[Any]) -> Vector:
    """Runs a traced program up to its first `mix`, and returns the buffer passed to it."""
    k, eqn = next((k, eqn) for k, eqn in enumerate(jaxpr.eqns) if _sent_by(eqn))
    known = [v for v in eqn.invars if not isinstance(v, Literal)]
    before = jaxpr.replace(eqns=jaxpr.eqns[:k], outvars=known)
    values = iter(jaxpr_as_fun(ClosedJaxpr(before, consts))(*arguments))
    inputs = [v.val if isinstance(v, Literal) else next(values) for v in eqn.invars]
    if eqn.primitive is MIX:
        return inputs[0]
    if eqn.primitive.name == "scan":
        fixed = eqn.params["num_consts"] + eqn.params["num_carry"]
        inputs = [*inputs[:fixed], *(v[0] for v in inputs[fixed:])]
    elif eqn.primitive.name not in ("jit", "pjit"):
        raise ValueError(f"the first mix of the round is inside {eqn.primitive.name}; call mix before it.")
    return _until_mix(eqn.params["jaxpr"].jaxpr, eqn.params["jaxpr"].consts, inputs)
