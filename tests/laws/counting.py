"""Oracles that count, as they run, what is really asked of them: evaluations, products, and distinct samples."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from hypergossip.core.algorithm import Cost


@dataclass
class Tally:
    """What was asked.

    Attributes:
        calls: By name.
        drawn: The distinct samples: a level and a key; the whole data ("whole upper", "whole lower") are one sample,
            whatever the key.
    """

    calls: Counter = field(default_factory=Counter)
    drawn: set[tuple[str, bytes]] = field(default_factory=set)

    def take(self, rows: Mapping[str, int]) -> Cost:
        """Returns the counts in the library's words, and begins anew.

        Args:
            rows: Level -> rows of one sample.
        """
        jax.effects_barrier()
        samples = sum(rows[level] for level, _ in self.drawn)
        cost = Cost(samples=samples, **{name: self.calls[name] for name in Cost._fields[1:]})
        self.clear()
        return cost

    def clear(self) -> None:
        """Forgets what was asked so far."""
        jax.effects_barrier()
        self.calls.clear()
        self.drawn.clear()


class Counting:
    """One agent's oracles with a tally. Callbacks count at run time: each turn of a loop, each lane of a `vmap`."""

    def __init__(self, oracles: Any, tally: Tally, whole: str = "") -> None:
        """Watches the oracles; `whole` is "whole " for those without sampling."""
        self.oracles, self.tally, self.whole = oracles, tally, whole

    @property
    def full(self) -> "Counting":
        return Counting(self.oracles.full, self.tally, "whole ")

    def samples(self, upper: Any = 0, lower: Any = 0) -> Any:
        return self.oracles.samples(upper, lower)

    def project(self, x: Any) -> Any:
        return self.oracles.project(x)

    def upper_loss(self, x: Any, y: Any, key: Any) -> Any:
        return self.oracles.upper_loss(x, y, key)

    def upper_gradients(self, x: Any, y: Any, key: Any) -> Any:
        self._count("upper_gradients", "upper", key, x)
        return self.oracles.upper_gradients(x, y, key)

    def lower_gradient(self, x: Any, y: Any, key: Any) -> Any:
        self._count("lower_gradients", "lower", key, x)
        return self.oracles.lower_gradient(x, y, key)

    def lower_gradients(self, x: Any, y: Any, key: Any) -> Any:
        self._count("lower_gradients", "lower", key, x, y)
        return self.oracles.lower_gradients(x, y, key)

    def hessian_product(self, x: Any, y: Any, key: Any) -> Any:
        return self._counted("hessian_products", self.oracles.hessian_product(x, y, key), x, key)

    def jacobian_product(self, x: Any, y: Any, key: Any) -> Any:
        return self._counted("jacobian_products", self.oracles.jacobian_product(x, y, key), x, key)

    def _counted(self, name: str, product: Any, x: Any, key: Any) -> Any:
        def apply(v: Any) -> Any:
            self._count(name, "lower", key, x, v)
            return product(v)

        return apply

    def _count(self, name: str, level: str, key: Any, *points: Any) -> None:
        def note(words: Any, *_: Any) -> None:
            self.tally.calls[name] += 1
            self.tally.drawn.add((self.whole + level, b"" if self.whole else np.asarray(words).tobytes()))

        jax.debug.callback(note, jax.random.key_data(key), *points)
