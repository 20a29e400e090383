"""A method of one agent, run without compilation on blocks of rows that are recorded for others to replay."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hypergossip.core.algorithm import Algorithm, Count, Lower, Sample, Upper


class Drawn(NamedTuple):
    """The blocks that a method drew in one round, in the order of its calls.

    Attributes:
        upper: Of gradients of f.
        gradients: Of gradients of g.
        hessians: Of products with d2yy g that have a block of their own.
        jacobians: Of products with d2xy g, likewise.
    """

    upper: list[int]
    gradients: list[int]
    hessians: list[int]
    jacobians: list[int]


class Recorder:
    """`hypergossip.core.algorithm.Oracles` of one agent: every key stands for one block of rows, which is recorded.

    Args:
        upper: f(x, y, block).
        lower: g(x, y, block).
        blocks: The number of blocks of each level.
        shared: Whether products with d2xy g use the block of the round's one gradient of g.
        seed: Of the blocks.
    """

    def __init__(
        self, upper: Callable[..., Any], lower: Callable[..., Any], blocks: int, shared: bool = False, seed: int = 0
    ) -> None:
        self.upper, self.lower, self.blocks, self.shared = upper, lower, blocks, shared
        self.random = np.random.default_rng(seed)
        self.rounds: list[Drawn] = []
        self.of_key: dict[bytes, int] = {}

    def begin_round(self) -> None:
        """Starts the record of a round."""
        self.rounds.append(Drawn([], [], [], []))
        self.of_key = {}
        self.of_gradient = int(self.random.integers(self.blocks))

    def block(self, key: Sample, role: str) -> int:
        """Returns the block of a key, and records it at the key's first use in the round."""
        name = np.asarray(jax.random.key_data(key)).tobytes()
        if name not in self.of_key:
            with_gradient = self.shared and role in ("gradients", "jacobians")
            self.of_key[name] = self.of_gradient if with_gradient else int(self.random.integers(self.blocks))
            getattr(self.rounds[-1], role).append(self.of_key[name])
        return self.of_key[name]

    @property
    def full(self) -> "Recorder":
        """The same oracles: no method that is compared here asks for all data."""
        return self

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of keys."""
        return upper + lower

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Any:
        """Returns f(x, y; key)."""
        return self.upper(x, y, self.block(key, "upper"))

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx f, dy f) at (x, y; key)."""
        return jax.grad(self.upper, (0, 1))(x, y, self.block(key, "upper"))

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns dy g at (x, y; key)."""
        return jax.grad(self.lower, 1)(x, y, self.block(key, "gradients"))

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns v -> d2yy g v at (x, y; key)."""
        block = self.block(key, "hessians")
        pullback = jax.vjp(lambda y: jax.grad(self.lower, 1)(x, y, block), y)[1]
        return lambda v: pullback(v)[0]

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns v -> d2xy g v at (x, y; key)."""
        block = self.block(key, "jacobians")
        pullback = jax.vjp(lambda x: jax.grad(self.lower, 1)(x, y, block), x)[1]
        return lambda v: pullback(v)[0]

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x


def states(method: Algorithm, agent: Recorder, x: Upper, y: Lower, rounds: int) -> list[Any]:
    """Runs rounds of a method alone and returns the state after each, without compilation."""
    mix: Any = lambda *, upper=(), lower=(), **_: upper
    root = jax.random.key(0)
    state, found = method.init(agent, x, y, root), []
    for t in range(rounds):
        agent.begin_round()
        state, _ = method.step(agent, mix, t, state, jax.random.fold_in(root, t))
        found.append(state)
    return found
