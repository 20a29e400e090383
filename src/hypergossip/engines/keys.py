"""The rule for random keys: agent i in round t uses Threefry's words of (t, i) under the run's key, in every engine."""

from typing import Any

import numpy as np

from hypergossip.core.random_keys import hashed

INIT_ROUND = np.uint32(2**32 - 1)  # no round has this number


def agent_key(key: Any, round: Any, identity: Any) -> Any:
    """Returns the key of one agent in one round.

    Args:
        key: The run's key.
        round: The number of the round, or `INIT_ROUND` for the agent's initial state.
        identity: The agent's permanent identity, which is not its position.
    """
    return hashed(key, round, identity)
