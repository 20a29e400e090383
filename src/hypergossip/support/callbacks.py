"""Errors of Python functions that compiled programs call back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax


@contextmanager
def own_errors(oracles: Any) -> Iterator[None]:
    """Raises what a Python function of these oracles has raised inside a compiled program, with the error it came from.

    JAX tells such an error as the text of one of its own.

    Args:
        oracles: A problem's. Those that call Python back have a method `raised`, which returns the last exception of
            their functions, or None.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        raised = getattr(oracles, "raised", lambda: None)()
        if raised is None or str(raised) not in str(error):  # one that is not ours, or of an earlier run
            raise
        raise raised from raised.__cause__
