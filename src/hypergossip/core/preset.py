"""Methods that are another method with settings of their own: under their own name, and by the other's program."""

from abc import abstractmethod
from typing import Any

import jax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper


class Preset(Algorithm):
    """A method that specialises another, which does the work: ``class TTSA(Preset, of=ALSET)``.

    In a run the other method's compiled program is used (`generalised`); results, progress, errors and checkpoints
    have the preset's own name and numbers.
    """

    def __init_subclass__(cls, of: Any, **more: Any) -> None:
        """Takes over what the other method declares."""
        super().__init_subclass__(**more)
        cls.needs, cls.vectors = of.needs, of.vectors

    @property
    @abstractmethod
    def method(self) -> Algorithm:
        """The other method, with its numbers made of these."""

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Any:
        """As the other method's."""
        return self.method.init(agent, x, y, key)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Any, key: Sample) -> tuple[Any, Cost]:
        """As the other method's."""
        return self.method.step(agent, mix, round, state, key)

    def conserved(self, state: Any) -> Any:
        """As the other method's."""
        return self.method.conserved(state)

    def check(self, facts: Facts) -> list[str]:
        """As the other method's."""
        return self.method.check(facts)


def generalised(algorithm: Any, swept: bool = False) -> Any:
    """Returns the method that a preset specialises, and any other method as it is.

    Args:
        algorithm: The algorithm.
        swept: Do its numbers have a leading axis (runs,)? Then so do the other method's.
    """
    if not isinstance(algorithm, Preset):
        return algorithm
    return jax.vmap(lambda one: one.method)(algorithm) if swept else algorithm.method
