"""Multi-agent games with simultaneous moves, and actor-critic on them as a bilevel problem."""

from hypergossip.problems.actor_critic.environment_answers import EnvironmentFailure
from hypergossip.problems.actor_critic.foreign_games import parallel_game
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.learning import actor_critic
from hypergossip.problems.actor_critic.navigation import navigation
from hypergossip.problems.actor_critic.nets import Convolutional, FullyConnected, Module, Net
from hypergossip.problems.actor_critic.parallel import as_parallel
from hypergossip.problems.actor_critic.pettingzoo_environments import from_parallel
from hypergossip.problems.actor_critic.presets import cooperative_navigation, pursuit_evasion
from hypergossip.problems.actor_critic.pursuit import pursuit
from hypergossip.problems.actor_critic.tabular import networked_process, tabular
from hypergossip.problems.actor_critic.tabular_game import TabularGame
from hypergossip.problems.actor_critic.traffic import traffic_signals
from hypergossip.problems.actor_critic.traffic_graph import traffic_graph
from hypergossip.problems.actor_critic.traffic_measures import TrafficMeasures, traffic_measures
from hypergossip.problems.actor_critic.tuple_environments import from_tuples
from hypergossip.problems.actor_critic.vmas_environments import from_vmas

__all__ = [
    "Convolutional",
    "EnvironmentFailure",
    "FullyConnected",
    "Game",
    "Module",
    "Net",
    "TabularGame",
    "TrafficMeasures",
    "actor_critic",
    "as_parallel",
    "cooperative_navigation",
    "from_parallel",
    "from_tuples",
    "from_vmas",
    "navigation",
    "networked_process",
    "parallel_game",
    "pursuit",
    "pursuit_evasion",
    "tabular",
    "traffic_graph",
    "traffic_measures",
    "traffic_signals",
]
