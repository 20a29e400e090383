"""Environments of other packages as named problems, with the options of a configuration file."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypergossip.core.problem import Problem
from hypergossip.core.schedules import PowerDecay
from hypergossip.problems.actor_critic.learning import actor_critic
from hypergossip.problems.actor_critic.nets import FullyConnected
from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules
from hypergossip.problems.actor_critic.pettingzoo_environments import from_parallel
from hypergossip.problems.actor_critic.presets import SMALL, sharing
from hypergossip.problems.representations import layer_sizes
from hypergossip.support.arguments import choice, flag, whole_number
from hypergossip.support.registry import nearest

_VERSION = re.compile(r"[-_]v(\d+)$")
WHOLES = {"observations": None, "state": lambda environment: environment.state()}


def parallel_game(
    agents: int | None = None,
    *,
    game: str,
    horizon: int,
    options: Any = None,
    pad: bool = False,
    leaving: bool = True,
    time_limit: int | None = None,
    live: int = 64,
    workers: int | None = None,
    whole: str = "observations",
    sees: str = "observation",
    widths: Sequence[int] = (64, 64),
    activation: str = "tanh",
    reward_model: bool = True,
    episodes: int = 2,
    discount: float | int = 0.95,
    trace: float | int = 0.0,
    entropy: float | int | PowerDecay = 0.0,
    normalized_advantages: bool = False,
    critic_damping: float | int | None = None,
    critic_iterations: int = 4,
    critic_thinning: int = 1,
    initial_std: float | int | None = None,
    shared_layers: Sequence[str] = (),
    test_episodes: int = 16,
    seed: int = 0,
) -> Problem:
    """Agents learn to play an environment of another package, each with a personal policy and all with one critic.

    Args:
        agents: The number of agents of the network, which must be that of the environment; None does not compare.
        game: The environment: "package/name-v3", as "mpe2/simple_spread-v3" or "butterfly/pistonball-v6" for those
            that PettingZoo registers; or "module:function" for a function that makes a parallel environment.
        horizon: The largest number of steps of an episode.
        options: The arguments of the environment, such as ``{"N": 3}``.
        pad: Whether agents may have different spaces, as for `from_parallel`.
        leaving: Whether agents may leave before the others.
        time_limit: The environment's own limit of steps, if it reports its end there as a termination.
        live: The number of environments to keep.
        workers: The number of processes in which the environments live, as for `from_parallel`.
        whole: The global state: all "observations", or the environment's own "state".
        sees: The input of an actor: its "observation" or the "global_state".
        widths: The widths of the hidden layers of actor, critic and reward model.
        activation: The activation of these layers.
        reward_model: Whether agents learn a model of the mean reward, or use their own reward.
        episodes: The number of episodes of a sample.
        discount: The discount factor of the values.
        trace: lambda of TD(lambda).
        entropy: The weight of the policies' entropy, a number or a `PowerDecay` over the rounds.
        normalized_advantages: As for `actor_critic`.
        critic_damping: As for `actor_critic`.
        critic_iterations: As for `actor_critic`.
        critic_thinning: As for `actor_critic`.
        initial_std: The initial standard deviation of continuous actions, as for `actor_critic`.
        shared_layers: The shared layers of the actor, such as "hidden.0" or "last", or "log_std" of continuous actions.
        test_episodes: The number of test episodes of the return in the history.
        seed: The seed of the initial networks and the test episodes.

    Raises:
        ValueError: If there is no such environment, or `from_parallel` does not support it.
    """
    whole = choice("whole", whole, WHOLES)
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"options is {options!r}; give a table of the environment's arguments, such as N = 3.")
    make, given = find_game(game), dict(options or {})

    def made() -> Environment:
        try:
            return make(**given)
        except Exception as error:
            raise ValueError(f"{game} cannot be made with options = {given}: {type(error).__name__} {error}") from error

    limits = {"pad": pad, "leaving": leaving, "time_limit": time_limit, "workers": workers}
    found = from_parallel(made, horizon=horizon, whole=WHOLES[whole], live=live, **limits)
    if agents is not None and whole_number("agents", agents, 1) != found.agents:
        raise ValueError(
            f"{game} has {found.agents} agents, such as {found.names[0]}, but the network has {agents}; give the "
            "network the same number, or change the environment's with one of its options."
        )
    sizes = layer_sizes("widths", widths)
    actor, value = FullyConnected(sizes, activation, SMALL), FullyConnected(sizes, activation)
    return actor_critic(
        found,
        actor=actor,
        critic=value,
        reward_model=value if flag("reward_model", reward_model) else False,
        sees=sees,
        episodes=episodes,
        discount=discount,
        trace=trace,
        entropy=entropy,
        normalized_advantages=normalized_advantages,
        critic_damping=critic_damping,
        critic_iterations=critic_iterations,
        critic_thinning=critic_thinning,
        initial_std=initial_std,
        share=sharing(actor, found, sees, shared_layers),
        test_episodes=test_episodes,
        seed=seed,
    )


def find_game(name: str) -> Callable[..., Environment]:
    """Returns the function that makes an environment.

    Args:
        name: "package/name-v3" or "module:function", as for `parallel_game`.

    Raises:
        ValueError: If the package, or the environment in it, cannot be imported.
    """
    if isinstance(name, str) and ":" in name:
        module, _, function = name.partition(":")
        return _function(name, _imported(name, module), function)
    package, slash, one = name.partition("/") if isinstance(name, str) else ("", "", "")
    if not slash or not package or not one:
        raise ValueError(
            f"game is {name!r}; write package/name, such as mpe2/simple_spread-v3, or module:function for a function "
            "that makes a parallel environment."
        )
    pettingzoo, _ = pettingzoo_modules()
    one = _VERSION.sub(r"-v\1", one)
    registered = [known.partition("/")[2] for known in pettingzoo.parallel_registry if known.startswith(f"{package}/")]
    found = None if registered else _imported(name, package)
    modules = [module.name for module in pkgutil.iter_modules(getattr(found, "__path__", []))]
    known = registered or [_VERSION.sub(r"-v\1", module) for module in modules if _VERSION.search(module)]
    if one not in known:
        raise ValueError(f"game is {name!r}, but {package} has no parallel environment {one!r}; {_advice(one, known)}")
    if registered:
        return lambda **options: pettingzoo.make("parallel", f"{package}/{one}", **options)
    module = _VERSION.sub(r"_v\1", one)
    return _function(name, _imported(name, f"{package}.{module}"), "parallel_env")


def _advice(name: str, known: list[str]) -> str:
    return nearest(name, known) if known else "give module:function, for a function that makes one."


def _imported(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (ImportError, TypeError, ValueError) as error:  # the latter two for an empty name and for one with dots
        raise ValueError(
            f"game is {name!r}, but {module} cannot be imported ({error}); install the package that provides it."
        ) from error


def _function(name: str, module: Any, function: str) -> Callable[..., Environment]:
    if not callable(made := getattr(module, function, None)):
        raise ValueError(f"game is {name!r}, but {module.__name__} has no function {function}.")
    return made
