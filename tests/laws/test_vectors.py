"""What a method declares of its vectors is what it does with them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.flat_messages import mix_through
from hypergossip.core.messages import first_message
from laws.problems import NETWORK, P, Q, quadratic_problem
from laws.running import final, messages_on
from laws.table import REFERENCE, every_method

ROUNDS, AGENT = 50, 2


def still(algorithm):
    """The method with its steps at zero: then adapting changes nothing."""
    steps = [field.name for field in dataclasses.fields(algorithm) if field.name.endswith(("_step", "_scale"))]
    return dataclasses.replace(algorithm, **dict.fromkeys(steps, 0.0))


def whole_round(algorithm, spaces, agent, state):
    """All messages of a round, one after the other."""
    messages = []
    algorithm.step(agent, mix_through(spaces, lambda v, *_: messages.append(v) or v), ROUNDS, state, jax.random.key(0))
    return jnp.concatenate(messages)


@every_method()
def test_averages_and_masses_are_what_is_sent(method):
    algorithm, problem, declared = method.algorithm, quadratic_problem(method.share), method.algorithm.vectors
    state = final(REFERENCE, algorithm, problem, NETWORK, ROUNDS)
    assert {name for names in declared for name in names} <= set(state._fields)
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf[AGENT]), state)
    spaces, agent = (problem.upper, problem.lower), problem.agent(AGENT)
    if method.trackers_apart or method.levels_apart:
        sent = whole_round(still(algorithm), spaces, agent, own)
    else:
        sent = first_message(still(algorithm), spaces, agent, ROUNDS, own, jax.random.key(0))
    shared = {"upper": (P,), "lower": (Q,), "both": (P, Q)}[method.share]
    groups = (declared.averages, declared.masses)
    sizes, names = [], []
    for group in groups if method.trackers_apart else (groups[0] + groups[1],):
        sent_of_group = [name for name in group if getattr(own, name).size in shared]
        sizes += sorted((getattr(own, name).size for name in sent_of_group), key=(P, Q).index)  # the upper level first
        names += sent_of_group
    parts, numbers = np.split(np.asarray(sent), np.cumsum(sizes)), messages_on(algorithm, problem)[0].numbers
    # Numbers of no level are accumulated, so they are not sent as they are.
    assert sum(getattr(own, name).ndim == 0 for name in declared.averages) == numbers == parts.pop().size
    added = dict(zip(declared.averages, declared.differences, strict=True)) if method.sends_corrected else {}
    for name in names:
        value = getattr(own, name) + (getattr(own, added[name]) if name in added else 0.0)
        assert sum(np.array_equal(value, part) for part in parts) == 1, name


@every_method()
def test_masses_and_differences_are_conserved_and_averages_are_not(method):
    algorithm, problem, declared = method.algorithm, quadratic_problem(method.share), method.algorithm.vectors
    state = jax.tree.map(jnp.asarray, final(REFERENCE, algorithm, problem, NETWORK, ROUNDS))
    own = jax.tree.map(lambda leaf: leaf[AGENT], state)

    def counts(name):
        """Is a vector a part of the sum that stays zero?"""
        moved = own._replace(**{name: getattr(own, name) + 1.0})
        terms = (jax.tree.leaves(algorithm.conserved(state)) for state in (own, moved))
        return any(np.any(one != other) for one, other in zip(*terms, strict=True))

    assert not any(map(counts, declared.averages))
    assert all(map(counts, (*declared.masses, *declared.differences)))
    for name in declared.differences:
        np.testing.assert_allclose(getattr(state, name).sum(axis=0), 0.0, atol=1e-12)
