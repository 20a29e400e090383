"""A game as a bilevel problem, with policies as the upper level and shared values as the lower (SLAM, section 4)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.problem import Problem, Share
from hypergossip.core.readings import Reading
from hypergossip.core.schedules import PowerDecay
from hypergossip.core.space import Space
from hypergossip.data.seeding import generator
from hypergossip.problems.actor_critic.episodes import Episodes, in_turns, play
from hypergossip.problems.actor_critic.game import Game, check_game
from hypergossip.problems.actor_critic.game_form import GameForm
from hypergossip.problems.actor_critic.nets import FullyConnected, Net, checked_net
from hypergossip.problems.actor_critic.oracles import GameOracles
from hypergossip.problems.actor_critic.policies import initial_policy, policy_of
from hypergossip.support.arguments import LARGEST_SEED, as_float, choice, flag, real_number, seed_number, whole_number

SEES = ("observation", "global_state")
CRITIC_ITERATIONS = 4


@dataclass(frozen=True)
class Returns:
    """The mean return of all agents over test episodes, whose random numbers are the same for every policy.

    Attributes:
        form: The form of the game, common to all agents.
        episodes: The number of episodes.
        seed: The seed of the episodes, which differ from the training episodes.
    """

    form: GameForm
    episodes: int
    seed: int

    def __call__(self, oracles: Any, x: Any, y: Any) -> Any:
        """Returns the mean over agents and episodes of the undiscounted return.

        Args:
            oracles: Every agent's oracles.
            x: The agents' policies, (agents, p).
            y: Not used.
        """
        return self.read(self.play(oracles, x))

    @property
    def source(self) -> Any:
        """The function that plays the episodes, once for all observations that are read from them."""
        return self.play

    def read(self, result: Episodes) -> Any:
        """Returns the mean over agents and episodes of the undiscounted return, from the `result` of `play`."""
        return jnp.mean(jnp.sum(result.rewards, axis=0))

    @property
    def world_key(self) -> Any:
        """The key that draws the episodes' first states and all other random numbers of the game."""
        return jax.random.split(jax.random.key(self.seed))[0]

    def play(self, oracles: Any, x: Any, y: Any = None) -> Episodes:
        """Returns the episodes.

        Args:
            oracles: Every agent's oracles.
            x: The agents' policies, (agents, p).
            y: Not used.
        """
        form, action_key = self.form, jax.random.split(jax.random.key(self.seed))[1]
        x = x[jnp.argsort(oracles.seat)]

        def play_some(chosen: Any) -> Episodes:
            def act(time: Any, observations: Any, states: Any, allowed: Any) -> Any:
                keys = jax.random.split(jax.random.fold_in(action_key, time), form.game.agents)

                def own(key: Any, x: Any, observed: Any, allowed: Any) -> Any:
                    inputs = states if form.sees == "global_state" else observed
                    policy = form.policy(x, inputs[None], allowed)[0]
                    if chosen is None:
                        return form.actor.draw(key, policy, allowed)
                    return form.actor.draw_chosen(key, policy, allowed, self.episodes, chosen)

                return jax.vmap(own, (0, 0, 1, 1), 1)(keys, x, observations, allowed)

            return play(form.game, act, self.world_key, self.episodes, chosen)

        most = getattr(form.game, "side_by_side", self.episodes)
        return play_some(None) if self.episodes <= most else in_turns(play_some, self.episodes, most)


@dataclass(frozen=True)
class EpisodeLength:
    """The mean number of steps of the test episodes until they end.

    Attributes:
        returns: The return over the same episodes.
    """

    returns: Returns

    def __call__(self, oracles: Any, x: Any, y: Any) -> Any:
        """Returns the mean number of steps.

        Args:
            oracles: Every agent's oracles.
            x: The agents' policies, (agents, p).
            y: Not used.
        """
        return self.read(self.returns.play(oracles, x))

    @property
    def source(self) -> Any:
        """The function that plays the episodes, the same as that of the return."""
        return self.returns.source

    def read(self, result: Episodes) -> Any:
        """Returns the mean number of steps of the episodes in `result`."""
        return jnp.mean(jnp.sum(result.alive, axis=0, dtype=result.rewards.dtype))


def actor_critic(
    game: Game,
    *,
    actor: Net | None = None,
    critic: Net | None = None,
    reward_model: Net | bool = True,
    sees: str = "observation",
    episodes: int = 10,
    discount: float = 0.95,
    trace: float = 0.0,
    entropy: float | PowerDecay = 0.0,
    normalized_advantages: bool = False,
    critic_damping: float | int | None = None,
    critic_iterations: int = CRITIC_ITERATIONS,
    critic_thinning: int = 1,
    initial_std: float | int | None = None,
    share: Share = "lower",
    test_episodes: int = 64,
    seed: int = 0,
) -> Problem:
    """Learns to play a game: x_i is agent i's policy, and y is the shared critic (and reward model).

    f_i is minus agent i's return, with the policy gradient as its gradient. g_i corresponds to TD(0) on agent i's own
    rewards, whose consensus estimates the value of the mean reward. Use `hypergossip.Direct` as the estimator. SLAM-AC
    is `Slam` on this problem; DAC, MDAC and CAC are separate algorithms. The problem has no losses, so the history has
    no M_t. It has the return, which is the undiscounted sum of rewards, averaged over the agents and `test_episodes`
    fixed episodes. Samples are environment steps, counted as the whole horizon for every episode. If episodes of the
    game can end earlier, the history also has their ``episode_length``, the mean over the test episodes.

    Args:
        game: The game, such as `navigation` or `pursuit`. If it has `names`, they are the agents' names.
        actor: The policy's network, from an agent's observation to one logit per action, or to the mean of each
            coordinate of a continuous action; None uses `FullyConnected`.
        critic: The critic's network, from the global state to one value; None uses `FullyConnected`.
        reward_model: A network from the flattened global state and all actions to the network's mean reward, which no
            agent observes (Zhang et al. 2018). True uses a `FullyConnected`, False each agent's own reward.
        sees: The input of an actor: its "observation" or the "global_state".
        episodes: The number B of episodes of every sample.
        discount: The discount factor of the values, in [0, 1).
        trace: lambda in [0, 1] of TD(lambda) and of the advantages, which then are those of generalised advantage
            estimation (Schulman et al. 2016); 0 gives TD(0), as in the papers.
        entropy: The weight of the policies' entropy, which counteracts premature convergence of the policies: a number,
            or a `PowerDecay` over the rounds, such as ``PowerDecay(30.0, 1000.0, 1.0)`` from 0.03 to 0.003 in 9000.
        normalized_advantages: Whether the advantages of every sample are shifted and scaled to mean 0 and variance 1,
            so that the scale of the rewards does not matter to the policy's step.
        critic_damping: If given, the gradient of the critic (and of the reward model) is multiplied by
            ``(C + critic_damping I)^-1``, where C is the mean of ``grad V(s) grad V(s)'`` over a sample, as in
            Gauss-Newton steps and in least-squares policy evaluation (Nedić and Bertsekas 2003). The lower step is then
            a fraction of such a step, at most 1; a damping of 0.1 and a lower step of 0.5 are a beginning. None uses
            the gradient, as in the papers.
        critic_iterations: The iterations of conjugate gradients for such a step, a product with C each. They begin at
            zero, so that few of them also regularize the step. In navigation 4 are as good as 10, in half the time.
        critic_thinning: C is the mean over every `critic_thinning`-th step of the episodes, so that a product takes so
            many times less time. The gradient is that of all steps. At most the horizon.
        initial_std: The initial standard deviation of each coordinate of continuous actions; None uses 0.5. Its
            logarithm is a parameter of the policy, independent of the observation.
        share: The shared variables, as for `hypergossip.Problem`. The upper leaves are those of the actor (if actions
            are continuous, under "mean", beside "log_std"), the lower ones "critic" and "reward_model". For instance,
            ``{"upper": {"hidden": [True, False], "last": False}, "lower": True}`` shares one layer of the policy.
        test_episodes: The number of test episodes of the return in the history.
        seed: The seed of the initial networks, which are the same for every agent, and of the test episodes; below
            2**32.

    Raises:
        ValueError: If `game` is not a game, or a network, a number or a name is invalid.
    """
    check_game(game)
    sees = choice("sees", sees, SEES)
    discount = real_number(
        "discount", discount, "give a number in [0, 1), so that the values are finite", lambda given: 0 <= given < 1
    )
    trace = real_number("trace", trace, "give a number in [0, 1], 0 for TD(0)", lambda given: 0 <= given <= 1)
    normalized = flag("normalized_advantages", normalized_advantages)
    episodes = whole_number("episodes", episodes, 1)
    test_episodes = whole_number("test_episodes", test_episodes, 1)
    damping = checked_damping(critic_damping)
    solver = (
        damping,
        whole_number("critic_iterations", critic_iterations, 1),
        whole_number("critic_thinning", critic_thinning, 1, int(game.horizon)),
    )
    if damping is None and solver[1:] != (CRITIC_ITERATIONS, 1):
        raise ValueError(
            "critic_iterations and critic_thinning are options of a Gauss-Newton step of the critic, which "
            "critic_damping=None does not take; give critic_damping, such as 0.1, or omit them."
        )
    model = checked_model(reward_model)
    actor = checked_net("actor", FullyConnected(last_scale=0.01) if actor is None else actor)
    critic = checked_net("critic", FullyConnected() if critic is None else critic)
    first = jax.eval_shape(game.reset, jax.random.key(0))
    observation = jax.eval_shape(game.observe, first).shape[1:]
    whole = jax.eval_shape(game.global_state, first).shape
    seed = seed_number(seed)
    random = generator(seed, 2)
    x0 = initial_policy(game, actor, random, whole if sees == "global_state" else observation, initial_std)
    y0 = {"critic": critic.initial(random, whole, 1)}
    if model is not None:
        y0["reward_model"] = model.initial(random, (int(np.prod(whole)) + game.agents * game.actions,), 1)
    x0, y0 = (jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), tree) for tree in (x0, y0))
    spaces = (
        Space.of(x0, False, "upper"),
        Space.of(y0, True, "lower"),
    )  # only their shapes matter, because the problem determines what is shared
    numbers = discount, trace, entropy_weight(entropy), normalized
    form = GameForm(game, policy_of(game, actor), critic, model, sees, episodes, *numbers, *solver, *spaces)
    oracles = GameOracles(jnp.arange(game.agents), form)
    returns = Returns(form, test_episodes, (seed + 10**6) % (LARGEST_SEED + 1))
    names = getattr(game, "names", None)  # games made from environments have agents with names
    together: dict[str, Reading] = {"return": returns}
    if getattr(game, "ends_early", False):
        together["episode_length"] = EpisodeLength(returns)
    return Problem.from_oracles(oracles, x0=x0, y0=y0, share=share, together=together, losses=False, names=names)


def checked_damping(damping: Any) -> float | None:
    """Returns the damping of the critic as a plain number, or None.

    Args:
        damping: A positive number, or None.

    Raises:
        ValueError: If it is neither.
    """
    if damping is None:
        return None
    advice = "give a positive number, such as 0.1, or None for steps along the gradient"
    return real_number("critic_damping", damping, advice, lambda given: given > 0)


def checked_model(model: Any) -> Net | None:
    """Returns the network of the reward model, or None if there is no such model.

    Args:
        model: The option `reward_model` of `actor_critic`.

    Raises:
        ValueError: If it is neither a network nor True or False.
    """
    if model is None or isinstance(model, bool | np.bool_):
        return FullyConnected() if model else None
    if isinstance(model, str | int | float):
        flag("reward_model", model)
    return checked_net("reward_model", model)


def entropy_weight(entropy: Any) -> float | PowerDecay:
    """Returns the weight of the entropy with plain numbers, which are part of the compiled program.

    Args:
        entropy: A number, or a `PowerDecay` of numbers.

    Raises:
        ValueError: If it is neither, or not finite, or negative.
    """
    schedule = isinstance(entropy, PowerDecay)
    numbers = (entropy.scale, entropy.offset, entropy.power) if schedule else (entropy,)
    values = [as_float(number) for number in numbers]
    if not all(value >= 0 for value in values):  # NaN, of what is no number, is not
        raise ValueError(
            f"entropy is {entropy!r}; give a number, at least 0, or a schedule such as PowerDecay(30.0, 1000.0, 1.0), "
            "which is 0.03 at first and 0.003 after 9000 rounds."
        )
    return PowerDecay(*values) if schedule else values[0]
