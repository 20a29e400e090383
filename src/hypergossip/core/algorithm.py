"""The contract: an algorithm is the program of one agent, which communicates with its neighbours only through `mix`."""

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
    """The oracle calls and samples of one agent, as exact counts (equations.md, "What is measured").

    Attributes:
        samples: Samples drawn. A sample counts once, even if it is evaluated at several points.
        upper_gradients: Evaluations of (dx f, dy f).
        lower_gradients: Evaluations of dy g or, for Hessian-free products, of dx g.
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
        """Returns the cost of a second point at the same sample: the oracles are called, but no sample is drawn."""
        return self._replace(samples=0)


class Facts(NamedTuple):
    """Facts known before a run, from which an algorithm decides whether to refuse the run or to warn.

    Attributes:
        upper_shared: Whether the network agrees on any entry of x.
        lower_shared: Whether it agrees on any entry of y.
        network: The network (`hypergossip.networks.Network`).
        lower_curvature: The smallest and the largest eigenvalue of d2yy g found at the start, over all agents and
            batches; both are zero for a problem without losses.
        upper_curvature: Computes an estimate of the largest curvature of l at the start. It is expensive.
        heterogeneity: The largest relative difference between two agents' second derivatives of the lower loss that was
            found at the start: in the extreme eigenvalues of d2yy g, and in d2xy g along one random direction.
        gradient_difference: The largest relative difference of an agent's gradient from the mean that was found at the
            start, over the gradients dx f, dy f and dy g.
    """

    upper_shared: bool
    lower_shared: bool
    network: Any
    lower_curvature: tuple[float, float]
    upper_curvature: Callable[[], float]
    heterogeneity: float = 0.0
    gradient_difference: float = 0.0


@runtime_checkable
class Mix(Protocol):
    """The weighted average over the neighbours: ``sum_j W_ij v_j`` for this agent i."""

    def __call__(
        self,
        *,
        upper: Any = (),
        lower: Any = (),
        numbers: Any = (),
        call: Count = 0,
        weights: str | None = None,
        again: bool = False,
        factors: Any = None,
    ) -> Any:
        """Sends this agent's vectors to its neighbours and averages them with the vectors received.

        Entries that the problem does not share are returned unchanged and are never sent. Numbers belong to no level:
        they are always sent and averaged, in the same message, and no channel compresses them.

        Args:
            upper: A tree of vectors (p,) of the upper level; it may be absent.
            lower: A tree of vectors (q,) of the lower level; it may be absent.
            numbers: A tree of arrays of any shape, such as one accumulator for each level; it may be absent.
            call: The number of the call within the round, for methods that communicate several times.
            weights: On a directed network, "pull" averages by weights whose rows sum to one, so that vectors that are
                equal everywhere remain equal; "push" by weights whose columns sum to one, so that the sum over the
                network is preserved. Doubly stochastic weights do both, and None requires them.
            again: Whether the message contains the same vectors as the one before it, a step later. `CommonCopy` then
                continues with the copies of that message.
            factors: For a method that adds up what the average changes, v - mix(v), times a factor that changes from
                round to round: the factors of this round, a tree like the given ones, of numbers or vectors. `EdgeSums`
                then adds a message that comes late with the factor of the round in which it was sent, so that what the
                method conserves stays the same. They may be zero only in the first rounds, in which `EdgeSums`
                then does not average. Nothing else uses them.

        Returns:
            The mixed tree if one of the three is given, or a tuple of the given ones, in the order above.
        """
        ...


@runtime_checkable
class Oracles(Protocol):
    """The oracles of one agent's problem, which hide its losses and data. A key *is* a sample.

    Two evaluations with the same key use the same sample. `hypergossip.Problem` makes these oracles by automatic
    differentiation. A problem with closed formulas (`problems.quadratic`) or without losses (actor-critic) provides
    its own oracles.
    """

    @property
    def full(self) -> "Oracles":
        """The same problem without sampling: every key stands for the full data."""
        ...

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of samples that these numbers of upper and lower keys draw."""
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
        """Returns the nearest point of the feasible set, or x itself if the problem is unconstrained."""
        ...


@runtime_checkable
class LossOracles(Oracles, Protocol):
    """Oracles that also return the gradient of the lower loss in x, which Hessian-free products need."""

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx g, dy g) at (x, y; key)."""
        ...


@runtime_checkable
class PolicyOracles(Oracles, Protocol):
    """Oracles of an agent whose x is a policy, which also return products with the policy's Fisher information."""

    def policy_gradient(
        self, x: Upper, y: Lower, key: Sample, thinning: int = 1
    ) -> tuple[Upper, Callable[[Upper], Upper]]:
        """Returns dx f and v -> F v on the sample of `key`, F being the mean of grad log pi grad log pi'.

        With `thinning`, F is the mean over every `thinning`-th step of the sample. Oracles with the exact F ignore it.
        """
        ...


Everybody = Callable[[Array], Array]


@runtime_checkable
class WorldOracles(Protocol):
    """Oracles of an agent in a game, where the actions of all agents determine the next state of one shared world.

    An engine provides the function ``everybody``. For an agent's array v it returns the arrays v of all agents,
    (agents, ...), in the order of the agents. It is to the oracles what `mix` is to the step. Agents exchange their
    actions but never their policies. Every agent calls it equally often, and never in a data-dependent branch or loop.
    Its traffic belongs to the world and is not counted as messages. Without it an agent is alone and plays the part of
    every agent.
    """

    @property
    def agents(self) -> int:
        """The number of agents in the world."""
        ...

    def within(self, everybody: Everybody) -> Oracles:
        """Returns the oracles connected to the other agents by this function."""
        ...


@runtime_checkable
class ChangingOracles(Protocol):
    """Oracles of losses that change from round to round, such as a game whose weight of the entropy decays."""

    def in_round(self, round: Any) -> Oracles:
        """Returns the oracles of a round, a scalar integer."""
        ...


@runtime_checkable
class Hypergradient(Protocol):
    """An estimator of DIAMOND's eq. 4 at (x, y). It is stateless, and its hyper-parameters are traced.

    The default `check` of a derived class neither warns nor refuses a run.
    """

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and its cost. Only the estimator knows how many steps it took."""
        ...

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it. The caller prepends the estimator's name."""
        return []


@runtime_checkable
class Algorithm(Protocol):
    """One agent's method: a frozen dataclass of hyper-parameters that derives from this, made by `register`.

    The number and size of the messages of a round are derived from `step` (`hypergossip.core.messages`).

    Attributes:
        needs: Its requirements on the problem and the network.
        vectors: The role that each vector of its state has in the network.
        untracked: The names of the steps of variables that are averaged over the network without tracking. If the
            agents are heterogeneous, the method ends O(step) from the optimum while such a step is constant.
        approximation: The names of the hyperparameters of an approximate problem that the method solves, such as a
            penalty; they decide how far its solution is from the optimum.
    """

    needs: ClassVar[Needs] = Needs()
    vectors: ClassVar[Vectors] = Vectors()
    untracked: ClassVar[tuple[str, ...]] = ()
    approximation: ClassVar[tuple[str, ...]] = ()

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        ...

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and the cost of the round for this agent.

        Every agent must call `mix` equally often in every round, never in a branch or loop that depends on its data.
        """
        ...

    def conserved(self, state: State) -> Any:
        """Returns this agent's term of a sum over the network that must stay zero, or () if there is no such sum."""
        return ()

    def check(self, facts: Facts) -> list[str]:
        """Returns warnings about a run, or raises ValueError to refuse it. The caller prepends the method's name.

        The requirements in `needs` and the estimator's own `check` are evaluated separately.
        """
        return []


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "refuse_shared_lower":
            raise ImportError("refuse_shared_lower was removed: declare needs = Needs(personal_lower=True) instead")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
