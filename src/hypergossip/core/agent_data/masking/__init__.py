"""Losses on padded data: a traced program runs such that the padding has no influence."""

from hypergossip.core.agent_data.masking.rows import CannotMask
from hypergossip.core.agent_data.masking.tracing import on_own_rows

__all__ = ["CannotMask", "on_own_rows"]
