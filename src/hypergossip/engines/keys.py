"""The rule for random keys: agent i in round t uses ``fold_in(fold_in(key, t), i)``, in every engine."""

from typing import Any

import jax
import numpy as np

INIT_ROUND = np.uint32(2**32 - 1)  # no round has this number


def agent_key(key: Any, round: Any, identity: Any) -> Any:
    """Returns the key of one agent in one round.

    Args:
        key: The run's key.
        round: The number of the round, or `INIT_ROUND` for the agent's initial state.
        identity: The agent's permanent identity, which is not its position.
    """
    return jax.random.fold_in(jax.random.fold_in(key, round), identity)
