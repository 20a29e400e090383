"""The contract: an algorithm is the program of one agent, and `mix` is its only word to its neighbours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from hypergossip.core.declarations import Needs as Needs
from hypergossip.core.declarations import Vectors as Vectors
from hypergossip.core.declarations import register as register
from hypergossip.core.declarations import static as static
from hypergossip.core.two_points import at_two_points as at_two_points

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

    def __add__(self, other: Any) -> Any:
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
    """An estimator of DIAMOND's eq. 4 at (x, y): stateless, its numbers traced.

    A class that derives from it has nothing to refuse unless it says so.
    """

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and what it cost: only the estimator knows how deep it went."""
        ...

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it; the estimator's name is put before them."""
        return []


@runtime_checkable
class Algorithm(Protocol):
    """One agent's method: a frozen dataclass of hyper-parameters that derives from this, made by `register`.

    How many messages a round sends, and how large they are, is read off `step` (`hypergossip.core.messages`).

    Attributes:
        needs: What it needs of a problem and a network.
        vectors: What the vectors of its state are to the network.
    """

    needs: ClassVar[Needs] = Needs()
    vectors: ClassVar[Vectors] = Vectors()

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        ...

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and what the round cost this agent.

        Every agent calls `mix` equally often in every round: never in a branch or loop that depends on its own data.
        """
        ...

    def conserved(self, state: State) -> Any:
        """Returns this agent's term of a sum over the network that must stay zero; () where there is none."""
        return ()

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it; the method's name is put before them.

        What `needs` tells, and what the estimator has to say, is looked at beside this.
        """
        return []


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "refuse_shared_lower":
            raise ImportError("refuse_shared_lower is gone: declare needs = Needs(personal_lower=True) instead")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
