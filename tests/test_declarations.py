"""What a class declares: marked fields are static, needs are held against the run, the form of version 0.1 is told."""

from __future__ import annotations

import dataclasses
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import jax
import pytest

import hypergossip as hg
from engines.running import Pair
from hypergossip.core.algorithm import Algorithm, Cost, Facts, Needs, register, static
from hypergossip.core.declarations import is_static
from hypergossip.core.requirements import refuse_unmet
from hypergossip.running.preflight import concerns
from hypergossip.running.tune import with_values
from hypergossip.support import registry
from hypergossip.support.pytree import register_pytree

PROBLEM, RING = hg.problems.quadratic(3, 2, 2), hg.networks.ring(3)


@register
class Repeats(Algorithm):
    """Mixes several times; its annotations are texts, as those of this whole file."""

    step_size: Any
    times: int = static(default=2)
    loud: bool = static(default=False)

    def init(self, agent, x, y, key):
        return Pair(x, y)

    def step(self, agent, mix, round, state, key):
        return Pair(jax.lax.fori_loop(0, self.times, lambda k, x: mix(upper=x, call=k), state.x), state.y), Cost()


@register
class Inherits(Repeats):
    """One field more."""

    more: Any = 1.0


@pytest.mark.parametrize("cls", [Repeats, Inherits])
def test_marked_fields_are_static_whatever_the_annotations_are(cls):
    algorithm = cls(0.5, times=3)
    numbers = [0.5] if cls is Repeats else [0.5, 1.0]
    assert jax.tree.leaves(algorithm) == numbers
    assert jax.tree.structure(algorithm) != jax.tree.structure(cls(0.5, times=4))
    assert jax.tree.structure(algorithm) == jax.tree.structure(cls(0.7, times=3))
    assert [is_static(cls, field.name) for field in dataclasses.fields(cls)][:3] == [False, True, True]
    assert jax.jit(lambda a: a.times * a.step_size)(algorithm) == 1.5
    assert jax.tree.map(lambda v: v, algorithm) == algorithm
    with pytest.raises(ValueError, match="'times' shapes the compiled program and cannot be swept"):
        with_values(algorithm, {"times": 5})
    three = hg.solve(algorithm, PROBLEM, RING, rounds=1, check=False, measure=False)
    assert three.history["bytes_sent"].iloc[-1] == 3 * 2 * 2 * 8


def test_a_field_that_must_be_given_must_be_given():
    @register
    class Needy(Algorithm):
        """Two fields without defaults, the first marked."""

        turns: int = static()
        number: Any

    assert Needy(3, 0.5).turns == 3
    with pytest.raises(TypeError, match="turns"):
        Needy(number=0.5)


def old_form() -> type:
    """A class as another package wrote it for version 0.1."""

    class HeavyBall:
        upper_step: Any
        lower_step: Any
        momentum: Any
        hypergradient: Any
        inner_steps: int = 1

        messages_per_round: ClassVar[int] = 1

        def init(self, problem, x, y, key):
            return Pair(x, y)

        def step(self, problem, mix, round, state, key):
            return state, Cost()

        def message(self, state):
            return {"upper": state.x}

        def conserved(self, state):
            return ()

        def check(self, facts):
            return []

    return HeavyBall


TOLD = (
    "HeavyBall has the form of version 0.1 of hypergossip: remove message and messages_per_round, which are now "
    "derived from step; rename the argument problem of init and step to agent; write inner_steps: int = static() for "
    "what shapes the program, and annotate numbers that may be swept with Any. Costs are added with +, and "
    "docs/extending.md has an example."
)


def test_the_form_of_version_0_1_is_refused_where_it_is_registered():
    with pytest.raises(ValueError, match=f"^{re.escape(TOLD)}$"):
        register(old_form())


def test_and_where_it_is_chosen(monkeypatch, unchecked):
    """By an instance whose class was registered by other means, and by a name of another package."""
    chosen = register_pytree("inner_steps")(dataclass(frozen=True)(old_form()))
    with pytest.raises(ValueError, match=f"^{re.escape(TOLD)}$"):
        hg.solve(chosen(0.1, 0.1, 0.5, hg.Exact()), PROBLEM, RING, rounds=1)

    module = ModuleType("their_package")
    module.__getattr__ = lambda name: register(old_form())
    monkeypatch.setitem(sys.modules, "their_package", module)
    entry = registry.EntryPoint("heavy_ball", "their_package:HeavyBall", "hypergossip.algorithms")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == entry.group else [])
    with pytest.raises(ValueError, match=f"^{re.escape(TOLD)}$"):
        registry.find("algorithms", "heavy_ball")
    assert registry.descriptions("algorithms")["heavy_ball"] == f"unusable: {TOLD}"


def test_an_estimator_of_version_0_1_is_told_likewise():
    class Scaled:
        curvature: Any
        terms: int = 3

        def __call__(self, problem, x, y, key):
            return x, Cost()

    with pytest.raises(ValueError, match=r"argument problem of __call__ to agent; write terms: int = static\(\)"):
        register(Scaled)


def test_what_is_gone_says_what_is_there_instead():
    with pytest.raises(ImportError, match=r"declare needs = Needs\(personal_lower=True\)"):
        exec("from hypergossip.core.algorithm import refuse_shared_lower")
    with pytest.raises(AttributeError):
        _ = hg.algorithm.nothing_of_the_kind


def test_a_class_that_derives_from_nothing_is_told_from_what(unchecked):
    @register
    class Alone:
        """It has a program, and is no `Algorithm`."""

        number: Any = 1.0

        def init(self, agent, x, y, key):
            return Pair(x, y)

        def step(self, agent, mix, round, state, key):
            return state, Cost()

    with pytest.raises(ValueError, match=r"write class Alone\(Algorithm\)"):
        hg.solve(Alone(), PROBLEM, RING, rounds=1)


GOOD = ((0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5))
TURNED = ((0.5, 0.5, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5))
ROUND = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
PARTED = ((1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.0, 0.5, 0.5))
LOPSIDED = ((0.5, 0.5, 0.0), (0.25, 0.5, 0.25), (0.0, 0.5, 0.5))

UNMET = {
    "met": (Needs(True, True, True), (True, False), GOOD, ""),
    "a shared lower level": (Needs(personal_lower=True), (True, True), GOOD, "M solves problems with personal lower"),
    "y alone": (Needs(upper_where_lower=True), (False, True), GOOD, "M computes one adjoint for the network, but"),
    "y and x": (Needs(upper_where_lower=True), (True, True), GOOD, ""),
    "weights one way": (Needs(symmetric=True), (True, False), TURNED, "M needs symmetric weights"),
    "weights one way, allowed": (Needs(), (True, False), TURNED, ""),
    "rows alone": (Needs(), (True, False), LOPSIDED, "M needs doubly stochastic weights"),
    "rows alone, allowed": (
        Needs(doubly_stochastic=False),
        (True, False),
        LOPSIDED,
        "M asks for weights whose columns",
    ),
    "two parts": (Needs(), (True, False), PARTED, "M needs a connected graph, but .*: agent 0 is cut off from the oth"),
    "no average": (Needs(), (True, False), ROUND, "M needs agents that agree in the long run, but .* round in circles"),
    "two parts, allowed": (Needs(connected=False), (True, False), PARTED, ""),
    "nothing shared": (Needs(symmetric=True), (False, False), LOPSIDED, ""),
}


@pytest.mark.parametrize("name", UNMET)
def test_an_unmet_need_is_one_sentence(name):
    needs, shared, weights, said = UNMET[name]
    known = Facts(*shared, hg.networks.from_mixing(weights), lower_curvature=(1.0, 1.0), upper_curvature=lambda: 1.0)
    with pytest.raises(ValueError, match=f"^{said}") if said else nullcontext():
        refuse_unmet("M", needs, known)


def test_sentences_begin_with_the_name_of_whom_they_are_about():
    known = Facts(True, False, RING, lower_curvature=(1.0, 4.0), upper_curvature=lambda: 1.0)
    inner = hg.HessianFree(hg.TruncatedNeumann(3, 3.5))
    series, step = concerns(hg.DSGD(0.1, 0.9, inner), known)
    assert series.startswith("TruncatedNeumann: lipschitz = 3.5")
    assert step.startswith("DSGD: lower_step = 0.9 is above 2/L")
    with pytest.raises(ValueError, match=r"^HessianFree: radius = 0"):
        concerns(hg.DSGD(0.1, 0.1, hg.HessianFree(hg.Exact(), 0.0)), known)
    with pytest.raises(ValueError, match=r"^AIDBiO: iterations = 0"):
        concerns(hg.AIDBiO(0.1, 0.1, 1, 0), known)


def test_costs_add():
    one, other = Cost(1, 2, 3, 4, 5), Cost(samples=10, jacobian_products=7)
    assert one + other == Cost(11, 2, 3, 4, 12)
    assert sum([one, other], Cost()) == one + other
    assert one + other.again() == Cost(1, 2, 3, 4, 12)
