"""Observations of the whole network that are read from one expensive result, which is then computed only once."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Reading(Protocol):
    """An observation that is read from the result of a source, such as the episodes that are played for it.

    Several observations with the same source share its result.
    """

    @property
    def source(self) -> Callable[[Any, Any, Any], Any]:
        """The function (oracles, x, y) -> result; readings share it if their sources are equal."""
        ...

    def read(self, result: Any) -> Any:
        """Returns the observation, a scalar."""
        ...

    def __call__(self, oracles: Any, x: Any, y: Any) -> Any:
        """Returns ``read(source(oracles, x, y))``."""
        ...
