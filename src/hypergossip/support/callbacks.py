"""Errors of Python functions that are called back from compiled programs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

JAX_CALLBACKS = logging.getLogger("jax._src.callback")


@contextmanager
def own_errors(oracles: Any) -> Iterator[None]:
    """Raises the original exception if a Python function of these oracles has failed inside a compiled program.

    JAX reports such an exception as the text of an error of its own, whose class depends on where it is raised, and
    logs its traceback.

    Args:
        oracles: The oracles of a problem. Those that call back Python have a method `raised`, which returns the last
            exception of their functions, or None.
    """
    raised = getattr(oracles, "raised", lambda: None)
    before = raised()

    def is_of_others(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return error is None or raised() in (None, before) or type(error) is not type(raised())

    JAX_CALLBACKS.addFilter(is_of_others)
    try:
        yield
    except Exception as error:
        own = raised()
        if own is None or own is before or own is error:  # a different error, or one of an earlier run
            raise
        raise own from own.__cause__
    finally:
        JAX_CALLBACKS.removeFilter(is_of_others)
