"""Whether the stages of a channel keep the contract, from the shapes of what their methods return."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.channels.channel import Channel, LinkKeys, Message, Signal
from hypergossip.channels.coding import Coding
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.layout import Layout
from hypergossip.channels.stack import Stack


class _Malformed(ValueError):
    """A stage that does not keep the contract."""


def check_stages(channel: Stack, sizes: tuple[int, int], dtype: Any, numbers: int = 0) -> None:
    """Raises ValueError if a stage cannot be compiled, or a method of it returns something of another form.

    Args:
        channel: The channel.
        sizes: The numbers of entries of the upper and of the lower level in a message.
        dtype: Their type.
        numbers: How many numbers of no level it has.
    """
    if sum(sizes) + numbers == 0:  # an empty message is not sent
        return
    upper, lower = ((size,) if size else () for size in sizes)
    layout = Layout(upper, lower, jnp.dtype(dtype).itemsize * 8, numbers)
    for stage in channel.listed:
        _check_hash(stage)
    for stage in channel.stages:
        codings = stage.codings if isinstance(stage, CommonCopy) else (stage,) if isinstance(stage, Coding) else ()
        for coding in codings:
            _check_coding(coding, sum(sizes), dtype)
        _check_stage(stage, layout, jax.ShapeDtypeStruct((sum(sizes) + numbers,), dtype))


def _check_hash(stage: Channel) -> None:
    try:
        hash(stage)
    except TypeError as error:
        raise ValueError(
            f"channel: {type(stage).__name__} cannot be hashed ({error}), so that no program can be compiled for it; "
            "make it a dataclass with frozen=True and with fields such as numbers, strings and tuples."
        ) from None


def _check_coding(coding: Coding, entries: int, dtype: Any) -> None:
    def coded(vector: Any) -> None:
        _equal(coding, "coded", "the vector", coding.coded(vector, _key()), vector)

    _traced(coding, "coded", coded, jax.ShapeDtypeStruct((entries,), dtype))


def _check_stage(stage: Channel, layout: Layout, vector: Any) -> None:
    def sender_state(vector: Any) -> Any:
        return _arrays(stage, "sender_state", stage.sender_state(vector, layout))

    def link_state(vector: Any) -> Any:
        return _arrays(stage, "link_state", stage.link_state(vector))

    def encode(state: Any, message: Message) -> None:
        _pair(stage, "encode", stage.encode(state, message, layout, _key()), message, state)

    def deliver(state: Any, signal: Signal) -> None:
        _pair(stage, "deliver", stage.deliver(state, signal, LinkKeys(_key(), _key())), signal, state)

    def receive(state: Any, signal: Signal) -> None:
        _pair(stage, "receive", stage.receive(state, signal, layout), signal, state)

    sender = _traced(stage, "sender_state", sender_state, vector)
    link = _traced(stage, "link_state", link_state, vector)
    arrived: Any = jax.ShapeDtypeStruct((), bool)
    signal = Signal(vector, vector, arrived)
    _traced(stage, "encode", encode, sender, Message(vector, vector))
    _traced(stage, "deliver", deliver, link, signal)
    _traced(stage, "receive", receive, link, signal)


def _key() -> Any:
    return jax.random.key(0)


def _traced(stage: Channel, method: str, call: Callable[..., Any], *given: Any) -> Any:
    """Returns the shapes of what a call returns."""
    try:
        return jax.eval_shape(call, *given)
    except _Malformed:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:150]
        raise ValueError(
            f"channel: {type(stage).__name__}.{method} cannot be traced ({type(error).__name__}: {first}); it must "
            "compute with jax.numpy on arrays of any values, without if or while on them."
        ) from error


def _arrays(stage: Channel, method: str, found: Any) -> Any:
    """Returns a state, or raises ValueError unless it is a tree of arrays."""
    if wrong := [leaf for leaf in jax.tree.leaves(found) if not hasattr(leaf, "shape")]:
        raise _Malformed(
            f"channel: {type(stage).__name__}.{method} returns a state with {wrong[0]!r}; it must return a tree of "
            "arrays, such as jnp.zeros_like(vector), or () for no state."
        )
    return found


def _pair(stage: Channel, method: str, found: Any, wanted: Message | Signal, state: Any) -> None:
    """Raises ValueError unless a method returns a message or signal and a state, of the forms that it was given."""
    name, kind = f"channel: {type(stage).__name__}.{method}", type(wanted).__name__
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], type(wanted))):
        shown = f"a {type(found).__name__}"
        if isinstance(found, tuple):
            shown = f"a tuple of {', '.join(type(part).__name__ for part in found) or 'nothing'}"
        if isinstance(found, Message | Signal):
            shown = f"a {type(found).__name__} alone"
        fields = ", ".join(wanted._fields)
        raise _Malformed(f"{name} returns {shown}; it must return the pair ({kind}({fields}), state).")
    for field in wanted._fields:
        _equal(stage, method, field, getattr(found[0], field), getattr(wanted, field))
    ours, theirs = map(jax.tree.structure, (found[1], state))
    if ours != theirs:
        raise _Malformed(
            f"{name} returns a state of another structure ({ours}, and it got {theirs}); it must return the state "
            "that it got with new values."
        )
    for leaf, given in zip(jax.tree.leaves(found[1]), jax.tree.leaves(state), strict=True):
        _equal(stage, method, "a part of the state", leaf, given)


def _equal(stage: Channel, method: str, what: str, found: Any, wanted: Any) -> None:
    """Raises ValueError unless an array has the shape and type of another."""
    ours, theirs = _form(found), _form(wanted)
    if ours != theirs:
        raise _Malformed(
            f"channel: {type(stage).__name__}.{method} returns {what} as {ours}; it must return it as {theirs}, with "
            "the shape and the type that it got."
        )


def _form(value: Any) -> str:
    try:
        shape, dtype = jnp.shape(value), jnp.result_type(value)
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"
    return f"{dtype}{list(shape)}"
