"""Presets: methods that are special cases of another method, with their own names and the other method's program."""

from abc import abstractmethod
from typing import Any

import jax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper


class Preset(Algorithm):
    """A method that is a special case of another method: ``class TTSA(Preset, of=ALSET)``.

    A run uses the compiled program of the other method (`generalised`). Results, progress, errors and checkpoints
    show the preset's own name and hyper-parameters.
    """

    def __init_subclass__(cls, of: Any, **more: Any) -> None:
        """Copies the declarations of the other method."""
        super().__init_subclass__(**more)
        cls.needs, cls.vectors = of.needs, of.vectors
        cls.untracked, cls.approximation = of.untracked, of.approximation

    @property
    @abstractmethod
    def method(self) -> Algorithm:
        """The other method, with its hyper-parameters computed from these."""

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Any:
        """Calls `init` of the other method."""
        return self.method.init(agent, x, y, key)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Any, key: Sample) -> tuple[Any, Cost]:
        """Calls `step` of the other method."""
        return self.method.step(agent, mix, round, state, key)

    def conserved(self, state: Any) -> Any:
        """Calls `conserved` of the other method."""
        return self.method.conserved(state)

    def check(self, facts: Facts) -> list[str]:
        """Calls `check` of the other method."""
        return self.method.check(facts)


def generalised(algorithm: Any, swept: bool = False) -> Any:
    """Returns the method that a preset specialises, and any other method unchanged.

    Args:
        algorithm: The algorithm.
        swept: Whether its numbers have a leading axis (runs,). The result's numbers then have it as well.
    """
    if not isinstance(algorithm, Preset):
        return algorithm
    return jax.vmap(lambda one: one.method)(algorithm) if swept else algorithm.method
