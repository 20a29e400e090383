"""Stages of users that do not keep the contract get one sentence with the stage, the method and what it must return."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from channels.setting import CHANNELS, DIAMOND, DSGD, NETWORK, problem, run
from hypergossip import channels
from hypergossip.channels.channel import Channel
from hypergossip.channels.coding import Coding
from hypergossip.channels.contract import check_stages
from hypergossip.channels.stack import read_channel
from refusals import refused


@dataclass(frozen=True)
class Mine(Channel):
    """A stage that changes nothing."""


class NotAPair(Mine):
    def deliver(self, state, signal, keys):
        return signal


class WrongKind(Mine):
    def encode(self, state, message, layout, key):
        return message.vector, state


class Shorter(Mine):
    def deliver(self, state, signal, keys):
        return signal._replace(theirs=signal.theirs[1:]), state


class Halved(Mine):
    def encode(self, state, message, layout, key):
        return message._replace(vector=message.vector.astype(jnp.float16)), state


class Strength(Mine):
    def receive(self, state, signal, layout):
        return signal._replace(arrived=jnp.float32(1)), state


class Nothing(Mine):
    def receive(self, state, signal, layout):
        return None


class OtherState(Mine):
    def link_state(self, vector):
        return jnp.zeros_like(vector)

    def deliver(self, state, signal, keys):
        return signal, (state, state)


class OtherType(Mine):
    def sender_state(self, vector, layout):
        return jnp.zeros((), jnp.int32)

    def encode(self, state, message, layout, key):
        return message, state.astype(jnp.float32)


class Number(Mine):
    def link_state(self, vector):
        return 0


class Condition(Mine):
    def receive(self, state, signal, layout):
        return (signal if signal.arrived else signal._replace(theirs=signal.own)), state


@dataclass
class Thawed(Channel):
    std: float = 0.1


@dataclass(frozen=True)
class WithList(Channel):
    gains: list = field(default_factory=lambda: [1.0])


class Cut(Coding):
    def coded(self, vector, key):
        return vector[:1]

    def size(self, entries, bits):
        return bits


MALFORMED = {
    "not a pair": (
        NotAPair(),
        ["NotAPair.deliver returns a Signal alone", "the pair (Signal(theirs, own, arrived), state)"],
    ),
    "another kind": (WrongKind(), ["WrongKind.encode returns a tuple of", "the pair (Message(vector, own), state)"]),
    "another shape": (Shorter(), ["Shorter.deliver returns theirs as float", "must return it as float"]),
    "another type": (Halved(), ["Halved.encode returns vector as float16[", "must return it as float"]),
    "no flag": (Strength(), ["Strength.receive returns arrived as float32[]", "bool[]"]),
    "nothing": (Nothing(), ["Nothing.receive returns a NoneType", "must return the pair"]),
    "another state": (OtherState(), ["OtherState.deliver returns a state of another structure"]),
    "another type of the state": (OtherType(), ["OtherType.encode returns a part of the state as float", "as int32[]"]),
    "a state without arrays": (Number(), ["Number.link_state returns a state with 0", "tree of arrays"]),
    "a condition": (Condition(), ["Condition.receive cannot be traced (TracerBoolConversionError", "without if"]),
    "not frozen": (Thawed(), ["Thawed cannot be hashed", "frozen=True"]),
    "a list": (WithList(), ["WithList cannot be hashed", "tuples"]),
    "a code": (Cut(), ["Cut.coded returns the vector as float", "[1]"]),
    "a code behind a copy": ([channels.CommonCopy(), Cut()], ["Cut.coded returns the vector as float"]),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("check", [True, False], ids=["check", "no check"])
def test_a_malformed_stage_is_refused_in_a_sentence(case, check):
    channel, words = MALFORMED[case]
    options = {"rounds": 3, "progress": False, "measure": False, "check": check}
    refused(lambda: hg.solve(DIAMOND, problem(), NETWORK, channel=channel, **options), ["channel: ", *words])


@pytest.mark.parametrize("name", CHANNELS)
def test_the_stages_of_the_library_keep_the_contract(name):
    for sizes in ((5, 0), (0, 4), (5, 4)):
        for dtype in (jnp.float32, jnp.float64):
            check_stages(read_channel(CHANNELS[name]), sizes, dtype)


def test_a_stage_that_keeps_the_contract_runs():
    """With a state of its own, random numbers and no dataclass: a link that works from the third message on."""

    class Late(Channel):
        def link_state(self, vector):
            return {"count": jnp.zeros((), jnp.int32), "last": (vector, ())}

        def deliver(self, state, signal, keys):
            state = {"count": state["count"] + 1, "last": (signal.theirs, ())}
            noise = 0 * jax.random.normal(keys.directed, signal.theirs.shape, signal.theirs.dtype)
            return signal._replace(theirs=signal.theirs + noise, arrived=state["count"] > 2), state

    late, alone = (run(DSGD, problem(), channel, 2) for channel in (Late(), channels.Loss(1.0)))
    np.testing.assert_array_equal(late.x, alone.x)
    assert np.abs(run(DSGD, problem(), Late(), 3).x - run(DSGD, problem(), channels.Loss(1.0), 3).x).max() > 1e-3
