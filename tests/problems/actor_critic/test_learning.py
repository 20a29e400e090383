"""The game's oracles against loops in NumPy, the networks, the problems by name, and advice."""

from dataclasses import replace

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Oracles, WorldOracles
from hypergossip.lab.build import build_problem
from hypergossip.lab.configuration import Source, validate
from hypergossip.metrics.together import observations_together
from hypergossip.problems.actor_critic import (
    Convolutional,
    FullyConnected,
    Module,
    Net,
    actor_critic,
    cooperative_navigation,
    networked_process,
    pursuit_evasion,
)
from hypergossip.problems.actor_critic.tabular_game import TabularGame

DISCOUNT, TRACE = 0.9, 0.7
KEY = jax.random.key(3)


class EndsEarly(TabularGame):
    """A process that is over as soon as it is in state 0."""

    def step(self, state, actions):
        after, rewards, _, truncated = super().step(state, actions)
        return after, rewards, after.state == 0, truncated


def small_problem(trace=TRACE, game=None, **changes):
    game = game or EndsEarly(networked_process(2, 4, 2, seed=5), 9)
    options = {"actor": FullyConnected((3,)), "critic": FullyConnected((3,)), "episodes": 4, "test_episodes": 2}
    return actor_critic(game, **{**options, "discount": DISCOUNT, "trace": trace, **changes})


def perturbed(space, seed=0):
    start = np.random.default_rng(seed).standard_normal(space.size)
    return jnp.asarray(start)


@pytest.mark.parametrize("trace", [0.0, TRACE])
def test_gradients_are_those_of_loops_over_every_step(trace):
    """Alone the agent plays both parts; the sums over steps, differences and traces are written out."""
    problem = small_problem(trace)
    agent, form = problem.agent(1), problem.oracles.form
    x, y = perturbed(problem.upper), perturbed(problem.lower, 1)
    played, lower, (fx, fy), loss = jax.jit(
        lambda agent: (
            agent.play(x, KEY),
            agent.lower_gradient(x, y, KEY),
            agent.upper_gradients(x, y, KEY),
            agent.upper_loss(x, y, KEY),
        )
    )(agent)
    seen, tree = played.seen, problem.lower.unravel(y)
    alive, over = np.asarray(seen.alive), np.asarray(seen.over)
    steps, episodes = alive.shape
    assert over.any()
    assert not alive.all()
    assert (alive[1:] == (alive[:-1] & ~over[:-1])).all()  # nothing that comes after the end counts
    assert not np.asarray(seen.rewards)[~alive].any()
    value = jax.jit(lambda critic, t, e: form.critic(critic, seen.states[t, e][None])[0, 0])
    model = np.asarray(form.model(tree["reward_model"], seen.states[:-1], seen.actions))
    rewards = np.asarray(played.rewards)

    def differences(rewards):
        delta = np.zeros((steps, episodes))
        for t in range(steps):
            for e in range(episodes):
                later = 0.0 if over[t, e] else DISCOUNT * value(tree["critic"], t + 1, e)
                delta[t, e] = (rewards[t, e] + later - value(tree["critic"], t, e)) if alive[t, e] else 0.0
        weights = [[(DISCOUNT * trace) ** (s - t) if s >= t else 0.0 for s in range(steps)] for t in range(steps)]
        return np.asarray(weights) @ delta

    count, own = float(alive.sum()), differences(rewards)
    of_critic = lambda critic: sum(-own[t, e] * value(critic, t, e) / count for t, e in np.argwhere(alive))
    critic_gradient = jax.jit(jax.grad(of_critic))(tree["critic"])
    ours = problem.lower.unravel(lower)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-10), ours["critic"], critic_gradient)

    def log_policy(x, t, e):
        return form.policy(x, played.inputs[t, e][None, None])[0, 0, played.actions[t, e]]

    advantages = differences(model)
    of_policy = lambda x: sum(-advantages[t, e] * log_policy(x, t, e) / count for t, e in np.argwhere(alive))
    upper = jax.jit(jax.grad(of_policy))(x)
    np.testing.assert_allclose(fx, upper, atol=1e-10)
    assert not fy.any()
    assert float(loss) == pytest.approx(-rewards.sum(axis=0).mean())


def test_products_are_the_lower_gradients_derivative():
    problem = small_problem()
    agent, x, y = problem.agent(0), perturbed(problem.upper), perturbed(problem.lower, 1)
    v, step = perturbed(problem.lower, 2), 1e-6
    product = agent.hessian_product(x, y, KEY)(v)
    gradient = jax.jit(lambda y: agent.lower_gradient(x, y, KEY))
    ahead, behind = (gradient(y + sign * step * v) for sign in (1, -1))
    np.testing.assert_allclose(product, (ahead - behind) / (2 * step), atol=1e-7)
    assert not agent.jacobian_product(x, y, KEY)(v).any()
    assert isinstance(agent, Oracles)
    assert isinstance(agent, WorldOracles)
    assert int(agent.samples(upper=1, lower=2)) == 3 * 4 * 9


def test_entropy_is_added_to_the_loss():
    plain, bonus = small_problem(entropy=0.0), small_problem(entropy=0.5)
    x, y = perturbed(plain.upper), perturbed(plain.lower, 1)
    more = bonus.agent(0).upper_gradients(x, y, KEY)[0] - plain.agent(0).upper_gradients(x, y, KEY)[0]
    played, form = plain.agent(0).play(x, KEY), plain.oracles.form

    def entropy(x):
        log = form.policy(x, played.inputs)
        each = -jnp.sum(jnp.exp(log) * log, axis=-1)
        return jnp.sum(jnp.where(played.seen.alive, each, 0.0)) / float(np.sum(played.seen.alive))

    np.testing.assert_allclose(more, -0.5 * jax.grad(entropy)(x), atol=1e-12)


DECAY = hg.PowerDecay(2.0, 4.0, 1.0)  # 0.5 in round 0


def test_the_weight_of_the_entropy_may_follow_a_schedule():
    decaying, there = small_problem(entropy=DECAY), small_problem(entropy=DECAY(3))
    x, y = perturbed(there.upper), perturbed(there.lower, 1)
    ours = decaying.agent(0).in_round(jnp.asarray(3)).upper_gradients(x, y, KEY)[0]
    np.testing.assert_allclose(ours, there.agent(0).upper_gradients(x, y, KEY)[0], atol=1e-14)


def test_a_configuration_file_gives_the_schedule():
    options = {"name": "cooperative_navigation", "widths": [4], "test_episodes": 1}
    decay = {"scale": 2.0, "offset": 4, "power": "1/2"}
    raw = {
        "problem": {**options, "entropy": decay},
        "network": {"name": "ring", "n": 3},
        "methods": {"dac": {"algorithm": "dac", "upper_step": 0.1, "lower_step": 0.1, "hypergradient": "direct"}},
        "run": {"rounds": 1},
    }
    nowhere = Source("", "")
    built = build_problem(validate(raw, nowhere), nowhere, 3)
    assert built.oracles.form.entropy == hg.PowerDecay(2.0, 4.0, 0.5)
    raw["problem"]["entropy"] = {**decay, "steps": 3}
    with pytest.raises(ValueError, match="no option 'steps'; a schedule is"):
        build_problem(validate(raw, nowhere), nowhere, 3)


def test_engines_tell_a_game_its_round():
    def policies(entropy, rounds, engine):
        options = {"rounds": rounds, "engine": engine, "check": False, "measure": False}
        made = small_problem(entropy=entropy)
        result = hg.solve(hg.DAC(0.5, 0.1, hg.Direct()), made, hg.networks.ring(2), **options)
        return np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(result.x)])

    simulated, debug = hg.Simulated(), hg.Debug()
    np.testing.assert_allclose(policies(DECAY, 3, simulated), policies(DECAY, 3, debug), atol=1e-12)
    np.testing.assert_allclose(policies(DECAY, 1, simulated), policies(0.5, 1, simulated), atol=1e-14)
    assert np.abs(policies(DECAY, 2, simulated) - policies(0.5, 2, simulated)).max() > 1e-6


@pytest.mark.parametrize("net", [FullyConnected((5, 4)), FullyConnected(()), Convolutional((3, 2), 6)])
def test_networks_take_rows_and_start_small_where_asked(net):
    shape = (7, 6, 3)
    parameters = net.initial(np.random.default_rng(0), shape, 2)
    inputs = jnp.asarray(np.random.default_rng(1).standard_normal((5, *shape)))
    out = net(parameters, inputs)
    assert out.shape == (5, 2)
    np.testing.assert_allclose(out[2], net(parameters, inputs[2:3])[0], atol=1e-12)  # row by row
    small = replace(net, last_scale=1e-3)
    assert float(jnp.abs(small(small.initial(np.random.default_rng(0), shape, 2), inputs)).max()) < 1e-2
    assert isinstance(net, Net)


def test_a_module_of_equinox_learns_like_our_own_network():
    """One linear layer, as a module and as ours, from the same weights: the same gradients."""
    make = lambda key, inputs, outputs: equinox.nn.Linear(int(np.prod(inputs)), outputs, key=key)
    module, own = Module(make), FullyConnected(())
    game = TabularGame(networked_process(2, 4, 2, seed=5), 5)
    theirs = small_problem(game=game, actor=module, critic=own)
    ours = small_problem(game=game, actor=own, critic=own)
    arrays = theirs.upper.unravel(theirs.x0)
    x = ours.upper.ravel({"hidden": [], "last": {"weights": arrays.weight, "bias": arrays.bias}})
    y = perturbed(ours.lower)
    gradient = ours.upper.unravel(ours.agent(0).upper_gradients(x, y, KEY)[0])["last"]
    other = theirs.upper.unravel(theirs.agent(0).upper_gradients(theirs.x0, y, KEY)[0])
    np.testing.assert_allclose(other.weight, gradient["weights"], atol=1e-12)
    np.testing.assert_allclose(other.bias, gradient["bias"], atol=1e-12)


def test_layers_by_name_are_shared_and_nothing_else():
    problem = cooperative_navigation(2, widths=(4, 3), shared_layers=("hidden.1",))
    tree = problem.upper.unravel(jnp.arange(problem.upper.size, dtype=float))
    shared = problem.upper.select(jnp.arange(problem.upper.size, dtype=float))
    layer = tree["hidden"][1]
    assert sorted(shared) == sorted(np.concatenate([layer["weights"].ravel(), layer["bias"]]))
    assert problem.lower.shared_size == problem.lower.size
    network, algorithm = hg.networks.complete(2), hg.CAC(0.5, 0.1, hg.Direct())
    result = hg.solve(algorithm, problem, network, rounds=3, check=False, measure=False)
    apart = jax.tree.map(lambda leaf: float(np.abs(leaf[0] - leaf[1]).max()), result.x)
    assert max(jax.tree.leaves(apart["hidden"][1])) < 1e-12  # a complete graph of two: agreed in every round
    assert min(apart["hidden"][0]["weights"], apart["last"]["weights"]) > 1e-6


def test_the_return_is_of_the_same_episodes_for_everybody():
    problem = small_problem(game=TabularGame(networked_process(2, 4, 2, seed=5), 5), test_episodes=200)
    returns = problem.together["return"]
    x = jnp.stack([perturbed(problem.upper, seed) for seed in (0, 1)])
    again = returns(problem.oracles, x, None)
    assert float(again) == float(returns(problem.oracles, x, None))
    played = [-float(problem.agent(0).upper_loss(x[0], problem.y0, jax.random.key(k))) for k in range(3)]
    assert np.ptp(played) > 0  # training's episodes differ


def test_the_length_of_test_episodes_is_measured_where_they_can_end_early(monkeypatch):
    """Both observations are read from episodes that are played once."""
    assert "episode_length" not in small_problem().together
    game = EndsEarly(networked_process(2, 4, 2, seed=5), 9)
    object.__setattr__(game, "ends_early", True)
    problem = small_problem(game=game, test_episodes=50)
    returns, length = problem.together["return"], problem.together["episode_length"]
    x = jnp.stack([perturbed(problem.upper, seed) for seed in (0, 1)])
    seen, counted = returns.play(problem.oracles, x), []
    expected = np.asarray(seen.alive).sum() / 50
    assert 1 < expected < 9
    assert float(length(problem.oracles, x, None)) == pytest.approx(expected, rel=1e-12)
    play = type(returns).play
    monkeypatch.setattr(type(returns), "play", lambda *given: counted.append(1) or play(*given))
    named = tuple(problem.together.items())
    both = observations_together(named, problem.oracles, x[None], jnp.zeros((1, 2, problem.lower.size)))
    assert len(counted) == 1
    assert float(both["episode_length"][0]) == pytest.approx(expected, rel=1e-12)
    assert float(both["return"][0]) == pytest.approx(float(returns(problem.oracles, x, None)), rel=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cooperative_navigation(2, sees="everything"), "observation, global_state"),
        (lambda: cooperative_navigation(2, discount=1.0), r"\[0, 1\)"),
        (lambda: cooperative_navigation(2, trace=1.5), "TD"),
        (lambda: cooperative_navigation(2, episodes=0), "at least 1"),
        (lambda: cooperative_navigation(2, entropy=-0.1), "at least 0, or a schedule"),
        (lambda: small_problem(entropy=hg.PowerDecay(float("nan"))), "at least 0, or a schedule"),
        (lambda: cooperative_navigation(2, shared_layers=("hidden.9",)), "hidden.0, hidden.1, last"),
        (lambda: pursuit_evasion(2, preset="v9"), "v5"),
        (
            lambda: hg.solve(hg.DAC(0.1, 0.1, hg.Direct()), small_problem(), hg.networks.ring(2), rounds=1, stop=0.1),
            "M_t",
        ),
    ],
)
def test_mistakes_get_advice(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_pursuers_with_rewards_of_their_own_learn_a_model_of_the_mean_reward():
    small = {"evaders": 2, "horizon": 3, "channels": (2,), "width": 4, "test_episodes": 1}
    has_model = lambda **options: pursuit_evasion(3, **small, **options).oracles.form.reward_model is not None
    assert has_model(shared_reward=False)
    assert not has_model()
    assert not has_model(shared_reward=False, reward_model=False)


def test_pursuit_learns_by_convolutions_with_one_layer_shared():
    problem = pursuit_evasion(3, evaders=2, horizon=6, channels=(2,), width=4, episodes=1, test_episodes=1)
    result = hg.solve(hg.Slam(0.05, 0.05, 1.0, 0.5, hg.Direct()), problem, hg.networks.ring(3), rounds=2, check=False)
    kernels = result.x["convolutions"][0]["weights"]
    assert np.isfinite(kernels).all()
    assert 0 < problem.upper.shared_size == kernels[0].size + 2
    assert "metric" not in result.history
    assert result.history["samples"].iloc[-1] == 2 * 2 * 6
    assert result.history["episode_length"].between(1, 6).all()
