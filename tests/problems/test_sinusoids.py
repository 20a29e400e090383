import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import hypergossip as hg
from hypergossip.metrics.lower_solution import lower_solution
from hypergossip.problems import sinusoids
from hypergossip.problems.sinusoids import AMPLITUDES, INPUTS, PHASES, adaptation, held_out
from small_problems import advance

SMALL = {"tasks": 3, "shots": 5, "widths": (6,), "held_out_tasks": 4}
ANY = jax.random.key(0)


def predict(parameters, inputs):
    """The network once more: layers of tanh, inputs in units of 5 and outputs of 10."""
    first, *more, out = parameters
    values = jnp.tanh(jnp.outer(inputs / 5, first["weights"][0]) + first["bias"])
    for layer in more:
        values = jnp.tanh(values @ layer["weights"] + layer["bias"])
    return 10 * (values @ out["weights"][:, 0] + out["bias"][0])


def error(parameters, inputs, outputs):
    return jnp.mean((predict(parameters, inputs) - outputs) ** 2)


def meta_loss(x, support, query, steps, a, head_only):
    """MAML's loss (or ANIL's) of one agent as it is usually written: a loop over tasks and inner steps."""
    losses = []
    for k in range(support["inputs"].shape[1]):
        w = x
        for _ in range(steps):
            slope = jax.grad(error)(w, support["inputs"][:, k], support["outputs"][:, k])
            if head_only:
                slope = [jax.tree.map(jnp.zeros_like, layer) for layer in slope[:-1]] + slope[-1:]
            w = jax.tree.map(lambda w, s: w - a * s, w, slope)
        losses.append(error(w, query["inputs"][:, k], query["outputs"][:, k]))
    return sum(losses) / len(losses)


def start(problem, seed=3):
    """A point off the start, flat, for every agent."""
    return problem.x0 + 0.1 * jnp.asarray(np.random.default_rng(seed).standard_normal(problem.upper.size))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("form", ["maml", "anil"])
def test_the_hypergradient_is_the_derivative_of_the_unrolled_loss(form, steps):
    a = 0.003
    problem = sinusoids(1, form=form, inner_steps=steps, inner_step=a, **SMALL)

    @jax.jit
    def both(agent, x):
        loss = lambda x: meta_loss(
            problem.upper.unravel(x), agent.lower_data, agent.upper_data, steps, a, form == "anil"
        )
        y = problem.y0 - a * agent.lower_gradient(x, problem.y0, ANY)  # y*(x): the lower level is so simple
        own = agent.upper_loss(x, y, ANY), hg.Neumann(terms=1, lipschitz=1 / a)(agent, x, y, ANY)[0]
        return jax.value_and_grad(loss)(x), own, agent.lower_gradient(x, y, ANY), y

    (value, slope), (own_value, own_slope), still, y = both(problem.agent(0), start(problem))
    np.testing.assert_allclose(still, 0.0, atol=1e-10)
    assert np.abs(y).max() > 1e-3
    np.testing.assert_allclose(own_value, value, rtol=1e-10)
    np.testing.assert_allclose(own_slope, slope, atol=1e-8 * np.abs(slope).max())


def test_imamls_hypergradient_is_that_of_the_true_function():
    """By finite differences: its lower level has no formula."""
    problem = sinusoids(2, form="imaml", **SMALL)
    found = hg.check_hypergradient(problem, hg.ConjugateGradient(60, 1e-10), directions=3, draws=1, step=2e-5)
    assert found.relative_error < 1e-6
    assert found.lower_residual < 1e-8


def test_dif_maml_with_the_forms_own_step_takes_it_exactly():
    """Then y is y*(x) where the round began, and every agent adapts along the derivative of MAML's loss there."""
    a, mu = 0.003, 0.01
    problem = sinusoids(2, inner_steps=3, inner_step=a, **SMALL)
    before, state = (advance(hg.DifMAML(mu, a), problem, hg.networks.complete(2), rounds)[0] for rounds in (1, 2))

    @jax.jit
    def by_hand(agent, x, y):
        loss = lambda x: meta_loss(problem.upper.unravel(x), agent.lower_data, agent.upper_data, 3, a, False)
        return agent.lower_gradient(x, y, ANY), jax.grad(loss)(x)

    adapted = []
    for i in range(2):
        still, slope = by_hand(problem.agent(i), before.x[i], state.y[i])
        np.testing.assert_allclose(still, 0.0, atol=1e-10)
        adapted.append(before.x[i] - mu * slope)
    np.testing.assert_allclose(state.x, np.tile(np.mean(adapted, axis=0), (2, 1)), atol=1e-12)
    assert np.abs(adapted[0] - adapted[1]).max() > 1e-3


def test_imamls_adaptation_descends_to_its_lower_solution():
    problem = sinusoids(1, form="imaml", **SMALL)
    x = start(problem)
    solution = jax.jit(lambda x: lower_solution(problem.oracles.full, problem.lower, x[None], problem.y0[None])[0])
    y = solution(x)
    form = adaptation("imaml", inner_steps=400, inner_step=3e-4)
    support = problem.agent(0).lower_data
    reached = jax.jit(jax.vmap(form.adapt, (None, 1)))(problem.upper.unravel(x), support)
    assert np.abs(y).max() > 1e-3
    np.testing.assert_allclose(problem.lower.ravel(reached), y, atol=1e-9)


def jointly_trained(problem):
    """One network fitted to all the agents' tasks as if they were one: gradient descent until it learns no more."""
    flat = lambda *parts: jnp.concatenate([jnp.ravel(part) for part in parts])
    data = jax.tree.map(flat, problem.oracles.lower_data, problem.oracles.upper_data)
    loss = lambda x: error(problem.upper.unravel(x), data["inputs"], data["outputs"])
    return jax.jit(lambda x: lax.fori_loop(0, 500, lambda _, x: x - 0.001 * jax.grad(loss)(x), x))(problem.x0)


LEARNERS = {
    "maml": (hg.DifMAML(0.01, 0.002), {"inner_step": 0.002}),
    "anil": (hg.DifMAML(0.005, 0.003), {"inner_step": 0.003}),
    "imaml": (hg.ALSET(0.0025, 8e-5, 4, hg.ConjugateGradient(4, 1e-3)), {"proximity": 250.0}),
}


@pytest.mark.parametrize("form", LEARNERS)
def test_every_form_learns_to_adapt(form):
    algorithm, options = LEARNERS[form]
    problem = sinusoids(4, form=form, tasks=10, widths=(20, 20), held_out_tasks=50, seed=1, **options)
    state, _ = advance(algorithm, problem, hg.networks.ring(4), 1000)
    y = problem.lower.unravel(problem.y0)
    both = jax.jit(lambda x: [function(problem.upper.unravel(x), y) for function in problem.observe.values()])
    assert list(problem.observe) == ["adapted_error", "unadapted_error"]
    before, _ = both(problem.x0)
    joint, joint_unadapted = both(jointly_trained(problem))
    assert joint_unadapted < 0.7 * before  # it did learn what there is to learn without adapting
    for x in (state.x[0], state.x[2]):
        adapted, unadapted = both(x)
        assert adapted < 0.3 * before
        assert adapted < 0.5 * unadapted
        assert adapted < 0.5 * min(joint, joint_unadapted)


def test_observations_are_the_errors_on_the_held_out_tasks():
    problem = sinusoids(2, inner_steps=2, inner_step=0.003, seed=5, **SMALL)
    tasks, support, query = held_out(SMALL["held_out_tasks"], SMALL["shots"], seed=5)
    x, y = problem.upper.unravel(problem.x0), problem.lower.unravel(problem.y0)
    expected = jax.jit(lambda x: meta_loss(x, support, query, 2, 0.003, False))(x)
    np.testing.assert_allclose(problem.observe["adapted_error"](x, y), expected, rtol=1e-10)
    unadapted = np.mean((predict(x, np.ravel(query["inputs"])) - np.ravel(query["outputs"])) ** 2)
    np.testing.assert_allclose(problem.observe["unadapted_error"](x, y), unadapted, rtol=1e-10)
    np.testing.assert_allclose(query["outputs"], tasks.amplitude * np.sin(query["inputs"] - tasks.phase))
    assert not set(np.ravel(support["inputs"])) & set(np.ravel(query["inputs"]))


@pytest.mark.parametrize("heterogeneity", [None, "amplitude", "phase"])
def test_every_task_is_one_sinusoid_of_its_agents_part_of_the_family(heterogeneity):
    """Amplitude and phase read off the shots by least squares on sine and cosine."""
    agents = 3
    problem = sinusoids(agents, tasks=8, shots=6, widths=(3,), heterogeneity=heterogeneity, seed=2)
    support, query = (
        jax.tree.map(np.asarray, level) for level in (problem.oracles.lower_data, problem.oracles.upper_data)
    )
    assert support["inputs"].shape == query["outputs"].shape == (agents, 6, 8)
    found = np.zeros((2, agents, 8))
    for i, k in np.ndindex(agents, 8):
        inputs = np.concatenate([support["inputs"][i, :, k], query["inputs"][i, :, k]])
        outputs = np.concatenate([support["outputs"][i, :, k], query["outputs"][i, :, k]])
        assert ((inputs >= INPUTS[0]) & (inputs <= INPUTS[1])).all()
        (sine, cosine), rest, *_ = np.linalg.lstsq(np.stack([np.sin(inputs), np.cos(inputs)], axis=1), outputs)
        assert rest < 1e-20
        found[:, i, k] = np.hypot(sine, cosine), np.arctan2(-cosine, sine)
    for name, values, (low, high) in zip(("amplitude", "phase"), found, (AMPLITUDES, PHASES)):
        place = (values - low) / (high - low)
        part = (np.arange(agents)[:, None], np.arange(1, agents + 1)[:, None]) if name == heterogeneity else (0, agents)
        assert ((place >= part[0] / agents) & (place <= part[1] / agents)).all()
        assert np.ptp(place) > 0.7


def test_a_sample_is_a_shot_of_every_task():
    problem = sinusoids(2, batch_size=2, activation="relu", **SMALL)
    agent = problem.agent(1)
    assert agent.samples(upper=1, lower=2) == 6
    x, y, data = problem.upper.unravel(problem.x0), problem.lower.unravel(problem.y0), agent.upper_data
    pairs = [(first, second) for first in range(SMALL["shots"]) for second in range(SMALL["shots"])]
    losses = [agent.form.upper(x, y, {name: leaf[jnp.array(pair)] for name, leaf in data.items()}) for pair in pairs]
    np.testing.assert_allclose(np.mean(losses), agent.full.upper_loss(problem.x0, problem.y0, ANY))
    drawn = agent.upper_loss(problem.x0, problem.y0, jax.random.key(4))
    assert np.isclose(drawn, losses).any()


def test_equal_options_are_one_program():
    first, second, other = (sinusoids(2, **SMALL, **more) for more in ({}, {"seed": 9}, {"inner_step": 0.01}))
    assert jax.tree.structure(first.oracles) == jax.tree.structure(second.oracles)
    assert jax.tree.structure(first.oracles) != jax.tree.structure(other.oracles)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "reptile"}, "choose one of maml, anil, imaml"),
        ({"activation": "sine"}, "choose one of tanh, relu"),
        ({"heterogeneity": "slope"}, "choose one of amplitude, phase"),
        ({"tasks": 0}, "at least 1"),
        ({"widths": (4, 0)}, "at least 1"),
        ({"inner_steps": 0}, "inner_steps is 0; give a whole number, at least 1"),
        ({"inner_step": -0.1}, "positive"),
        ({"form": "imaml", "proximity": 0.0}, "positive"),
        ({"batch_size": 11}, "batch_size is 11"),
    ],
)
def test_bad_input_gets_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        sinusoids(2, **options)
