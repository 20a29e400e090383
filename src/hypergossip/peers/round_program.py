"""One agent's round, compiled in parts between which its messages travel.

The traced step is cut at its messages. What a message needs is computed first; then, while it travels, everything that
does not depend on what the neighbours send, such as the gradients of the current point; then the rest. A step that
sends inside a loop or a branch cannot be cut; it is compiled whole and calls back for every message.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun

from hypergossip.core.messages import inside
from hypergossip.peers.traced_round import EXCHANGE, Here
from hypergossip.support.compilation import compiled

CALLS = ("jit", "pjit", "closed_call", "core_call")
LARGE = 100_000  # entries; fewer take less time, entry by entry, than to start a program


def compute_in_this_thread() -> None:
    """Lets JAX run each program in the thread that calls it; to be called before JAX is first used in a process.

    A round is a chain of short programs that wait for each other, and each would cost two changes of threads.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


class Transfer(NamedTuple):
    """How the parts of a round send and receive.

    Attributes:
        send: Sends the message with the given place in the round: (place, vector, own).
        collect: Returns what has come for it, host arrays: place -> the neighbours' vectors and, if dated, what each is
            compared with and whether it has come.
    """

    send: Callable[[int, np.ndarray, np.ndarray], None]
    collect: Callable[[int], tuple[np.ndarray, ...]]


class Part(NamedTuple):
    """A part of a round between two messages.

    Attributes:
        run: The compiled function of the values it needs.
        needs: The variables of these values.
        gives: The variables of its results.
    """

    run: Callable[..., Any]
    needs: tuple[Var, ...]
    gives: tuple[Var, ...]


class Communication(NamedTuple):
    """A message between two parts.

    Attributes:
        place: Its place among the messages of the round.
        inputs: The variables, or literals, of what is sent and of what the sender compares with.
        outputs: The variables of what comes.
    """

    place: int
    inputs: tuple[Any, ...]
    outputs: tuple[Var, ...]


class NotCut(ValueError):
    """A message is sent inside a loop or a branch, where a round cannot be cut."""


class CutRound:
    """A round that is cut at its messages."""

    def __init__(self, function: Callable[..., Any], here: Here, state: Any) -> None:
        """Traces and cuts a round.

        Args:
            function: From `traced_round`.
            here: The agent.
            state: Its state.

        Raises:
            NotCut: If a message is sent inside a loop or a branch.
        """
        number = jnp.zeros((), jnp.int32)
        closed, shape = jax.make_jaxpr(function, return_shape=True)(here, number, state)
        flat = jax.make_jaxpr(lambda *values: _inlined(closed.jaxpr, closed.consts, values))(
            *jax.tree.leaves((here, number, state))
        )
        if any(_exchanges(eqn) and eqn.primitive is not EXCHANGE for eqn in flat.jaxpr.eqns):
            raise NotCut("a message is sent inside a loop or a branch")
        self._structure = jax.tree.structure(shape)
        self._inputs, self._outputs = flat.jaxpr.invars, flat.jaxpr.outvars
        self._parts = _cut(flat)

    def __call__(self, here: Sequence[Any], round: int, state: Any, transfer: Transfer) -> tuple[Any, Any]:
        """Runs a round; returns the state after it, and its cost.

        Args:
            here: The leaves of `Here`.
            round: The number of the round.
            state: The agent's state.
            transfer: How it sends and receives.
        """
        leaves = [*here, np.int32(round), *jax.tree.leaves(state)]
        known = dict(zip(self._inputs, leaves, strict=True))
        waiting: list[Communication] = []
        for part in self._parts:
            if isinstance(part, Communication):
                if waiting and waiting[0] is part:
                    waiting.pop()
                    known.update(zip(part.outputs, transfer.collect(part.place), strict=True))
                else:
                    waiting.append(part)
                    transfer.send(part.place, *(np.asarray(_value(v, known)) for v in part.inputs))
            else:
                known.update(zip(part.gives, part.run(*(known[v] for v in part.needs)), strict=True))
        return jax.tree.unflatten(self._structure, [_value(v, known) for v in self._outputs])


class WholeRound:
    """A round that is compiled whole and calls back for every message."""

    def __init__(self, make: Callable[[Any], Callable[..., Any]], here: Here, degree: int, dated: bool) -> None:
        """Prepares a round.

        Args:
            make: exchange -> the round, as `traced_round` makes it.
            here: The agent.
            degree: The number of links.
            dated: As for `traced_round`.
        """
        self._transfer, self._sent = None, 0

        def on_host(vector: Any, own: Any) -> tuple[Any, ...]:
            transfer, place = self._transfer, self._sent
            assert transfer is not None
            self._sent += 1
            transfer.send(place, np.asarray(vector), np.asarray(own))
            return tuple(transfer.collect(place))

        def exchange(vector: Any, own: Any, _: int) -> Any:
            many = jax.ShapeDtypeStruct((degree, *vector.shape), vector.dtype)
            shapes = (many, many, jax.ShapeDtypeStruct((degree,), np.dtype(bool))) if dated else (many,)
            return io_callback(on_host, shapes, vector, own, ordered=True)

        function, structure = make(exchange), jax.tree.structure(here)
        self._run = compiled()(lambda leaves, *more: function(jax.tree.unflatten(structure, leaves), *more))

    def __call__(self, here: Sequence[Any], round: int, state: Any, transfer: Transfer) -> tuple[Any, Any]:
        """Runs a round; returns the state after it, and its cost.

        Args:
            here: The leaves of `Here`.
            round: The number of the round.
            state: The agent's state.
            transfer: How it sends and receives.
        """
        self._transfer, self._sent = transfer, 0
        return jax.block_until_ready(self._run(list(here), np.int32(round), state))


def compiled_round(
    make: Callable[[Any], Callable[..., Any]],
    here: Here,
    state: Any,
    sizes: Sequence[tuple[int, Any]],
    degree: int,
    dated: bool,
) -> CutRound | WholeRound:
    """Compiles a round, which is cut at its messages if possible.

    Args:
        make: exchange -> the round, as `traced_round` makes it.
        here: The agent.
        state: Its state.
        sizes: The number of entries and the type of each of the round's messages.
        degree: The number of links.
        dated: As for `traced_round`.
    """
    try:
        made: CutRound | WholeRound = CutRound(make(None), here, state)
    except NotCut:
        made = WholeRound(make, here, degree, dated)

    def collect(place: int) -> tuple[np.ndarray, ...]:
        entries, dtype = sizes[place]
        nothing = np.zeros((degree, entries), dtype)
        return (nothing, nothing, np.zeros(degree, bool)) if dated else (nothing,)

    # One round that sends nothing and changes nothing compiles all parts.
    jax.block_until_ready(made(jax.tree.leaves(here), 0, state, Transfer(lambda *_: None, collect)))
    return made


def _value(v: Any, known: dict[Any, Any]) -> Any:
    return v.val if isinstance(v, Literal) else known[v]


def _exchanges(eqn: JaxprEqn) -> bool:
    """Returns whether an equation sends, itself or in a program inside it."""
    if eqn.primitive is EXCHANGE:
        return True
    return any(map(_exchanges, (inner for body in inside(eqn) for inner in body.eqns)))


def _inlined(jaxpr: Jaxpr, consts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Evaluates a program; compiled functions that send become a part of it."""
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *values), strict=True))
    for eqn in jaxpr.eqns:
        inputs = [_value(v, known) for v in eqn.invars]
        if eqn.primitive.name in CALLS and _exchanges(eqn):
            inner = eqn.params.get("jaxpr") or eqn.params["call_jaxpr"]
            results = _inlined(inner.jaxpr, inner.consts, inputs)
        else:
            with eqn.ctx.manager:
                results = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
            results = results if eqn.primitive.multiple_results else [results]
        known.update(zip(eqn.outvars, results, strict=True))
    return [_value(v, known) for v in jaxpr.outvars]


def _cut(closed: ClosedJaxpr) -> list[Part | Communication]:
    """Returns the parts of a round in the order in which they run; a message stands where it is sent and received."""
    jaxpr, todo = closed.jaxpr, _needed(closed.jaxpr)
    messages = [eqn for eqn in todo if eqn.primitive is EXCHANGE]
    todo = [eqn for eqn in todo if eqn.primitive is not EXCHANGE]
    missing = {v for eqn in messages for v in eqn.outvars}  # what depends on messages that have not come
    groups: list[tuple[list[JaxprEqn], JaxprEqn | None]] = []
    for message in messages:
        needed = {v for v in message.invars if not isinstance(v, Literal)}
        before, rest = [], []
        for eqn in reversed(todo):
            if needed & set(eqn.outvars):
                needed |= {v for v in eqn.invars if not isinstance(v, Literal)}
                before.append(eqn)
            else:
                rest.append(eqn)
        todo = rest[::-1]
        meanwhile, rest, waits = [], [], set(missing)
        for eqn in todo:
            if waits & {v for v in eqn.invars if not isinstance(v, Literal)}:
                waits |= set(eqn.outvars)
                rest.append(eqn)
            else:
                meanwhile.append(eqn)
        if not any(map(_takes_time, meanwhile)):  # a program of its own would cost more than it gains
            meanwhile, rest = [], todo
        todo, missing = rest, missing - set(message.outvars)
        groups += [(before[::-1], message), (meanwhile, message)]
    groups.append((todo, None))
    parts: list[Part | Communication] = []
    sendings = {id(m): Communication(m.params["place"], tuple(m.invars), tuple(m.outvars)) for m in messages}
    for number, (eqns, message) in enumerate(groups):
        later = [e for other, _ in groups[number + 1 :] for e in other] + messages
        wanted = {v for e in later for v in e.invars if not isinstance(v, Literal)}
        wanted |= {v for v in jaxpr.outvars if not isinstance(v, Literal)}
        if eqns:
            parts.append(_compiled(closed, eqns, wanted))
        if message is not None:
            parts.append(sendings[id(message)])
    return parts


def _needed(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """Returns the equations on which a result or a message depends."""
    wanted, kept = {v for v in jaxpr.outvars if not isinstance(v, Literal)}, []
    for eqn in reversed(jaxpr.eqns):
        if wanted & set(eqn.outvars) or eqn.primitive is EXCHANGE or eqn.effects:
            wanted |= {v for v in eqn.invars if not isinstance(v, Literal)}
            kept.append(eqn)
    return kept[::-1]


def _takes_time(eqn: JaxprEqn) -> bool:
    if eqn.primitive.name in CALLS:
        return any(_takes_time(inner) for body in inside(eqn) for inner in body.eqns)
    products = eqn.primitive.name in ("dot_general", "conv_general_dilated") or inside(eqn)
    return bool(products) or sum(math.prod(getattr(v.aval, "shape", ())) for v in eqn.outvars) > LARGE


def _compiled(closed: ClosedJaxpr, eqns: list[JaxprEqn], wanted: set[Any]) -> Part:
    """Compiles some equations as one function of what they need, which returns what is wanted of them."""
    consts = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    made = [v for eqn in eqns for v in eqn.outvars]
    gives = tuple(v for v in made if v in wanted)
    used = dict.fromkeys(v for eqn in eqns for v in eqn.invars if not isinstance(v, Literal))
    outside = [v for v in used if v not in set(made)]
    fixed, needs = [v for v in outside if v in consts], tuple(v for v in outside if v not in consts)
    body = closed.jaxpr.replace(constvars=fixed, invars=list(needs), outvars=list(gives), eqns=eqns)
    run = compiled()(jaxpr_as_fun(ClosedJaxpr(body, [consts[v] for v in fixed])))
    return Part(run, needs, gives)
