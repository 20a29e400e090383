"""The two games of the SLAM paper as named problems, with the options of a configuration file."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.core.schedules import PowerDecay
from hypergossip.problems.actor_critic.game import continuous
from hypergossip.problems.actor_critic.learning import actor_critic
from hypergossip.problems.actor_critic.navigation import navigation
from hypergossip.problems.actor_critic.nets import Convolutional, FullyConnected, Net
from hypergossip.problems.actor_critic.pursuit import pursuit
from hypergossip.problems.representations import layer_sizes
from hypergossip.support.arguments import flag, whole_number

SMALL = 0.01  # the scale of an actor's last layer, so that its policy is initially near uniform


def cooperative_navigation(
    agents: int = 3,
    *,
    rewards: str = "mpe2",
    local_ratio: float | int | None = None,
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
    shared_layers: Sequence[str] = (),
    test_episodes: int = 64,
    seed: int = 0,
) -> Problem:
    """Agents cover landmarks, each with a personal policy and all with one shared critic, as in SLAM's figure 1.

    Args:
        agents: The number N of agents and of landmarks.
        rewards: "mpe2", "openai" or "assigned", as for `navigation`.
        local_ratio: The local ratio of the rewards "mpe2".
        whole: The global state: "compact" or "observations", as for `navigation`.
        sees: The input of an actor: the "global_state", as in the paper, or its "observation".
        widths: The widths of the hidden layers of actor, critic and reward model.
        activation: The activation of these layers.
        reward_model: Whether agents learn a model of the mean reward, or use their own reward.
        episodes: The number of episodes of a sample.
        discount: The discount factor of the values.
        trace: lambda of TD(lambda), which is 0 in the papers.
        entropy: The weight of the policies' entropy, a number or a `PowerDecay` over the rounds.
        normalized_advantages: As for `actor_critic`.
        critic_damping: As for `actor_critic`.
        critic_iterations: As for `actor_critic`.
        critic_thinning: As for `actor_critic`.
        shared_layers: The shared layers of the actor, such as "hidden.0" or "last"; the paper shares none.
        test_episodes: The number of test episodes of the return in the history.
        seed: The seed of the initial networks and the test episodes.
    """
    game = navigation(agents, rewards=rewards, local_ratio=local_ratio, whole=whole)
    sizes = layer_sizes("widths", widths)
    actor = FullyConnected(sizes, activation, SMALL)
    value = FullyConnected(sizes, activation)
    learning: dict[str, Any] = {
        "episodes": episodes,
        "discount": discount,
        "trace": trace,
        "entropy": entropy,
        "normalized_advantages": normalized_advantages,
        "critic_damping": critic_damping,
        "critic_iterations": critic_iterations,
        "critic_thinning": critic_thinning,
    }
    return actor_critic(
        game,
        actor=actor,
        critic=value,
        reward_model=value if flag("reward_model", reward_model) else False,
        sees=sees,
        share=sharing(actor, game, sees, shared_layers),
        test_episodes=test_episodes,
        seed=seed,
        **learning,
    )


def pursuit_evasion(
    agents: int = 8,
    *,
    preset: str = "paper",
    evaders: int | None = None,
    horizon: int | None = None,
    shared_reward: bool | None = None,
    sees: str = "observation",
    channels: Sequence[int] = (8, 16),
    width: int = 32,
    activation: str = "relu",
    reward_model: bool | None = None,
    episodes: int = 2,
    discount: float | int = 0.95,
    trace: float | int = 0.0,
    entropy: float | int | PowerDecay = 0.0,
    normalized_advantages: bool = False,
    critic_damping: float | int | None = None,
    critic_iterations: int = 4,
    critic_thinning: int = 1,
    shared_layers: Sequence[str] = ("convolutions.0",),
    test_episodes: int = 8,
    seed: int = 0,
) -> Problem:
    """Pursuers catch evaders on a grid, with convolutional networks and one shared actor layer, as in SLAM's figure 2.

    Args:
        agents: The number of pursuers.
        preset: The preset of `pursuit`: "paper", "v5" or "v4".
        evaders: The number of evaders; None uses that of the preset.
        horizon: The number of steps of an episode; None uses that of the preset.
        shared_reward: Whether every agent gets the mean of the rewards. None uses the value of the preset, True. All
            critics then learn from the same rewards, so there is no difference on which the agents must agree.
        sees: The input of an actor: its "observation", the window around it, or the "global_state".
        channels: The numbers of channels of the convolutions of actor and critic.
        width: The width of their hidden layer, and of that of the reward model.
        activation: The activation of these layers.
        reward_model: Whether agents learn a model of the mean reward, or use their own reward. None: if every agent has
            a reward of its own.
        episodes: The number of episodes of a sample.
        discount: The discount factor of the values.
        trace: lambda of TD(lambda), which is 0 in the papers.
        entropy: The weight of the policies' entropy, a number or a `PowerDecay` over the rounds.
        normalized_advantages: As for `actor_critic`.
        critic_damping: As for `actor_critic`.
        critic_iterations: As for `actor_critic`.
        critic_thinning: As for `actor_critic`.
        shared_layers: The shared layers of the actor; the paper shares one and does not specify which.
        test_episodes: The number of test episodes of the return in the history.
        seed: The seed of the initial networks and the test episodes.
    """
    changes: dict[str, Any] = {"agents": agents}
    options = (("evaders", evaders), ("horizon", horizon), ("shared_reward", shared_reward))
    changes |= {name: value for name, value in options if value is not None}
    game = pursuit(preset, **changes)
    learned = not game.shared_reward if reward_model is None else flag("reward_model", reward_model)
    depths, width = layer_sizes("channels", channels), whole_number("width", width, 1)
    actor = Convolutional(depths, width, activation, SMALL)
    learning: dict[str, Any] = {
        "episodes": episodes,
        "discount": discount,
        "trace": trace,
        "entropy": entropy,
        "normalized_advantages": normalized_advantages,
        "critic_damping": critic_damping,
        "critic_iterations": critic_iterations,
        "critic_thinning": critic_thinning,
    }
    return actor_critic(
        game,
        actor=actor,
        critic=Convolutional(depths, width, activation),
        reward_model=FullyConnected((width,), activation) if learned else False,
        sees=sees,
        share=sharing(actor, game, sees, shared_layers),
        test_episodes=test_episodes,
        seed=seed,
        **learning,
    )


def sharing(actor: Net, game: Any, sees: str, layers: Any) -> Any:
    """Returns the value of `share` for a problem that shares the critic and these layers of the actor.

    Args:
        actor: The actor's network.
        game: The game.
        sees: "observation" or "global_state".
        layers: A list of names such as "hidden.0", "convolutions.1" or "last"; without any, or with None, no layer of
            the actor is shared.

    Raises:
        ValueError: If it is not a list of names, or the actor has no such layer.
    """
    if layers is None:
        return "lower"
    named = isinstance(layers, Iterable) and not isinstance(layers, str)
    layers = tuple(layers) if named else (layers,)
    if not named or not all(isinstance(layer, str) for layer in layers):
        shown = list(layers) if named else layers[0]
        example = [layers[0]] if isinstance(layers[0], str) else ["last"]
        raise ValueError(
            f"shared_layers is {shown!r}; give a list of names of layers, such as {example!r}, or [] to share none."
        )
    if not layers:
        return "lower"
    first = jax.eval_shape(game.reset, jax.random.key(0))
    looked = game.global_state if sees == "global_state" else game.observe
    shape = jax.eval_shape(looked, first).shape
    tree = actor.initial(np.random.default_rng(0), shape if sees == "global_state" else shape[1:], game.actions)
    tree = {**tree, **({"log_std": None} if continuous(game) else {})}
    known = {
        f"{name}.{i}" if isinstance(part, list) else name
        for name, part in tree.items()
        for i in (range(len(part)) if isinstance(part, list) else (0,))
    }
    if unknown := sorted(set(layers) - known):
        raise ValueError(f"shared_layers: the actor has no layer {unknown[0]!r}; it has {', '.join(sorted(known))}.")
    flag = {
        name: [f"{name}.{i}" in layers for i in range(len(part))] if isinstance(part, list) else name in layers
        for name, part in tree.items()
    }
    if continuous(game):
        flag = {"log_std": flag.pop("log_std"), "mean": flag}
    return {"upper": flag, "lower": True}
