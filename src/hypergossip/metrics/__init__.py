"""What is measured: stationarity, consensus, lower error, the problem's own observations, and the cost."""

from hypergossip.metrics.ledger import bytes_per_round
from hypergossip.metrics.lower_solution import lower_solution
from hypergossip.metrics.observations import observations
from hypergossip.metrics.stationarity import Figures, figures

__all__ = ["Figures", "bytes_per_round", "figures", "lower_solution", "observations"]
