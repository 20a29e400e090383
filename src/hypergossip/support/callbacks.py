"""Errors of Python functions that are called back from compiled programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax


@contextmanager
def own_errors(oracles: Any) -> Iterator[None]:
    """Raises the original exception if a Python function of these oracles has failed inside a compiled program.

    JAX reports such an exception only as the text of its own error.

    Args:
        oracles: The oracles of a problem. Those that call back Python have a method `raised`, which returns the last
            exception of their functions, or None.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        raised = getattr(oracles, "raised", lambda: None)()
        if raised is None or str(raised) not in str(error):  # a different error, or one of an earlier run
            raise
        raise raised from raised.__cause__
