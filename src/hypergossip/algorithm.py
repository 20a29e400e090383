"""The contract: an algorithm is the program of one agent, and `mix` is its only word to its neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, dataclass_transform, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from hypergossip.pytree import register_pytree

Vector = Float[Array, "dimension"]
Upper = Float[Array, "p"]
Lower = Float[Array, "q"]
Sample = Key[Array, ""]
Count = Any  # a whole number: Python's, or an array of them
State = Any  # a NamedTuple of one agent's vectors, in the paper's letters


class Cost(NamedTuple):
    """What one agent spends: counts, never estimates (equations.md, "What is measured").

    Attributes:
        samples: Samples drawn; one sample counts once however many points it is evaluated at.
        upper_gradients: Evaluations of (dx f, dy f).
        lower_gradients: Evaluations of dy g (or of dx g, for Hessian-free products).
        hessian_products: Products with d2yy g.
        jacobian_products: Products with d2xy g.
    """

    samples: Count = 0
    upper_gradients: Count = 0
    lower_gradients: Count = 0
    hessian_products: Count = 0
    jacobian_products: Count = 0

    def plus(self, other: "Cost") -> "Cost":
        """Returns the sum of two costs."""
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def as_arrays(self) -> "Cost":
        """Returns the counts as 32-bit arrays, for loops and branches."""
        return Cost(*(jnp.asarray(count, jnp.int32) for count in self))

    def again(self) -> "Cost":
        """Returns this cost for a second point at the same sample: the oracles are called, nothing is drawn."""
        return self._replace(samples=0)


class Facts(NamedTuple):
    """What is known before a run, for an algorithm to refuse it or to warn.

    Attributes:
        upper_shared: Does the network agree on any entry of x?
        lower_shared: On any entry of y?
        network: The network (`hypergossip.networks.Network`).
        lower_curvature: The smallest and largest eigenvalue of d2yy g found at the start, over all agents and batches;
            zeros where the problem has no losses.
        upper_curvature: Computes an estimate of the largest curvature of l at the start; expensive.
    """

    upper_shared: bool
    lower_shared: bool
    network: Any
    lower_curvature: tuple[float, float]
    upper_curvature: Callable[[], float]


@runtime_checkable
class Mix(Protocol):
    """The weighted average over the neighbours: ``sum_j W_ij v_j`` for this agent i."""

    def __call__(self, *, upper: Any = (), lower: Any = (), call: Count = 0) -> Any:
        """Sends this agent's vectors to its neighbours and averages what they sent.

        Entries that the problem does not share come back unchanged and are never sent.

        Args:
            upper: A tree of vectors (p,) of the upper level, or absent.
            lower: A tree of vectors (q,) of the lower level, or absent.
            call: The number of the call within the round, for methods that communicate several times.

        Returns:
            The mixed tree of the level given, or the pair (upper, lower) where both are.
        """
        ...


@runtime_checkable
class Oracles(Protocol):
    """One agent's problem: its losses and data behind five names. A key *is* a sample.

    Two evaluations with one key use the same sample. `hypergossip.Problem` makes these by automatic differentiation;
    a problem with formulas of its own (`problems.quadratic`) or without losses (actor-critic) brings its own.
    """

    @property
    def full(self) -> "Oracles":
        """The same problem without sampling: every key is the whole data."""
        ...

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of samples that so many upper and lower keys draw."""
        ...

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns f(x, y; key)."""
        ...

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx f, dy f) at (x, y; key)."""
        ...

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns dy g at (x, y; key)."""
        ...

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the linear map v -> d2yy g v at (x, y; key)."""
        ...

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns the linear map v -> d2xy g v at (x, y; key), from (q,) to (p,)."""
        ...

    def project(self, x: Upper) -> Upper:
        """Returns the nearest point of the feasible set; x itself where the problem has none."""
        ...


@runtime_checkable
class LossOracles(Oracles, Protocol):
    """Oracles that know the other half of the lower loss's gradient, too: what Hessian-free products need."""

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx g, dy g) at (x, y; key)."""
        ...


Everybody = Callable[[Array], Array]


@runtime_checkable
class WorldOracles(Protocol):
    """Oracles of an agent that shares one world with the others, a game: everybody's action makes the next state.

    An engine gives them ``everybody``, which for an agent's array v returns all agents' v, (agents, ...), in the order
    of the agents. It is to the oracles what `mix` is to the step: agents tell each other what they do, never how they
    decide, and every agent calls it equally often, never in a data-dependent branch or loop. Its traffic is the
    world's, and no part of the messages. Without it an agent is alone, and plays everybody's part.
    """

    @property
    def agents(self) -> int:
        """How many share the world."""
        ...

    def within(self, everybody: Everybody) -> Oracles:
        """Returns the oracles in the world."""
        ...


@runtime_checkable
class Hypergradient(Protocol):
    """An estimator of DIAMOND's eq. 4 at (x, y): stateless, its numbers traced."""

    def __call__(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and what it cost: only the estimator knows how deep it went."""
        ...

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it."""
        ...


@runtime_checkable
class Algorithm(Protocol):
    """One agent's method: a frozen dataclass of hyper-parameters, registered as a pytree by `register`.

    Attributes:
        messages_per_round: How often a round calls `mix`. Where it is more than once and the later calls send something
            else, ``later_message(state)`` returns that.
    """

    @property
    def messages_per_round(self) -> int:
        """How often a round calls `mix`; mostly a class's constant."""
        ...

    def init(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        ...

    def step(self, problem: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and what the round cost this agent."""
        ...

    def message(self, state: State) -> dict[str, Any]:
        """Returns what the first `mix` of the round sends, as its keyword arguments."""
        ...

    def conserved(self, state: State) -> Any:
        """Returns this agent's term of a sum over the network that must stay zero, or ()."""
        ...

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it."""
        ...


Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True)
def register(cls: Class) -> Class:
    """Makes a class of hyper-parameters a frozen dataclass and a pytree.

    Fields annotated ``int`` or ``bool`` shape the program and are static; every other field is data, so that a sweep
    over it compiles once.
    """
    cls = dataclass(frozen=True)(cls)
    static = [name for name, kind in cls.__annotations__.items() if kind in (int, bool)]
    return register_pytree(*static)(cls)


def refuse_shared_lower(name: str, facts: Facts) -> None:
    """Raises ValueError where a method for personal lower levels meets a shared one."""
    if facts.lower_shared:
        raise ValueError(
            f"{name} solves problems with personal lower levels, and this problem shares its lower level: its agents "
            'would never agree on y. Use Slam, or share="upper".'
        )


def at_two_points(function: Callable[..., Any], now: tuple, before: tuple) -> tuple[Any, Any]:
    """Evaluates a function of (x, y, ...) at two points side by side, the sample drawn once for both.

    This is the pair that STORM and SPIDER need. Stacking the points halves the passes over the data: 1.5 to 2 times
    faster than two separate evaluations (benchmarks/step.py).

    Args:
        function: (x, y, ...) -> a tree of arrays or numbers, its sample fixed.
        now: One point, (x, y, ...).
        before: The other.

    Returns:
        Its values at both points.
    """
    stacked = (jnp.stack(pair) for pair in zip(now, before, strict=True))
    both = jax.vmap(lambda *point: jax.tree.map(jnp.asarray, function(*point)))(*stacked)
    return jax.tree.map(lambda a: a[0], both), jax.tree.map(lambda a: a[1], both)
