"""How the tests run a method: round by round on an engine, or agent by agent without one."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.algorithm import Cost
from hypergossip.core.flat_messages import mix_through
from hypergossip.core.messages import Message, messages
from hypergossip.core.preset import generalised
from hypergossip.core.random_keys import run_key
from hypergossip.engines.engine import Job
from hypergossip.engines.keys import agent_key


def trajectory(
    engine: Any,
    algorithm: Any,
    problem: Any,
    network: Any,
    rounds: Any,
    *,
    seed: int = 0,
    x: Any = None,
    y: Any = None,
) -> Any:
    """Returns the state after each of the given numbers of rounds, host arrays (points, agents, ...).

    Args:
        engine: Where.
        algorithm: The method.
        problem: The problem.
        network: The network.
        rounds: Increasing numbers of rounds.
        seed: Of the run.
        x: (agents, p) where the agents start; at the problem's x0 if absent.
        y: (agents, q) likewise.
    """
    x = np.broadcast_to(problem.x0, (problem.agents, problem.upper.size)) if x is None else x
    y = np.broadcast_to(problem.y0, (problem.agents, problem.lower.size)) if y is None else y
    # The program that `solve` runs.
    session = engine.open(Job(generalised(algorithm), problem, network, run_key(seed)[None]))
    state = session.start(jnp.asarray(x)[None], jnp.asarray(y)[None])
    done, states = 0, []
    for round in rounds:
        state, _ = session.advance(state, done, int(round))
        done = int(round)
        states.append(session.to_host(state))
    return jax.tree.map(lambda *leaves: np.stack([leaf[0] for leaf in leaves]), *states)


def final(engine: Any, algorithm: Any, problem: Any, network: Any, rounds: int, **more: Any) -> Any:
    """Returns the state after so many rounds, host arrays (agents, ...)."""
    return jax.tree.map(lambda leaf: leaf[0], trajectory(engine, algorithm, problem, network, [rounds], **more))


class Step(NamedTuple):
    """One agent's round by hand.

    Attributes:
        before: Its state.
        after: Its state.
        sent: What every `mix` of the round sent.
        cost: What the method states that the round cost.
    """

    before: Any
    after: Any
    sent: list[np.ndarray]
    cost: Cost


def messages_on(algorithm: Any, problem: Any) -> tuple[Message, ...]:
    """What a round of a method sends on a problem."""
    return messages(algorithm, (problem.upper, problem.lower), problem.agent(0), problem.x0, problem.y0)


def mixes(algorithm: Any, problem: Any, level: str) -> int:
    """How often a round averages a level."""
    return sum(message.times for message in messages_on(algorithm, problem) if getattr(message, level))


class Cut(Exception):
    """Ends a round where it sends the message that was waited for."""


def by_hand(
    algorithm: Any,
    problem: Any,
    network: Any,
    rounds: int,
    *,
    seed: int = 0,
    see: Callable[[Any], Any] = lambda oracles: oracles,
    begin: Callable[[], None] = lambda: None,
    done: Callable[[int], None] = lambda agent: None,
) -> list[list[Step]]:
    """Runs every agent's program by itself, one after the other, without an engine.

    A round is run once for each of its messages, from the beginning, with the averages that are known by then, and then
    once with all of them. Where it has several it is run without jit, so that a loop's messages are seen one by one,
    and as far as the message; where it has one, it is one compiled program that is run twice.

    Args:
        algorithm: The method.
        problem: The problem.
        network: The network.
        rounds: How many.
        seed: Of the run.
        see: Turns an agent's oracles into those that its program sees, to count what it asks of them.
        begin: Called when the messages of a round are known, before the agents' rounds that count.
        done: Told the agent after each of its rounds.

    Returns:
        One list a round of one `Step` an agent.
    """
    spaces, W = (problem.upper, problem.lower), network.mixing.toarray()
    unknown = [
        jnp.zeros(message.entries, message.dtype)
        for message in messages_on(algorithm, problem)
        for _ in range(message.times)
    ]
    one_by_one = len(unknown) > 1

    def program(oracles: Any, round: Any, state: Any, key: Any, averages: Any, wanted: int | None = None) -> Any:
        sent: list[Any] = []

        def send(buffer: Any, call: Any, weights: Any) -> Any:
            assert call == len(sent)
            sent.append(buffer)
            if call == wanted:
                raise Cut
            return averages[call]

        try:
            after, cost = algorithm.step(oracles, mix_through(spaces, send), round, state, key)
        except Cut:
            return None, sent, None
        return after, sent, cost

    play = jax.jit(lambda oracles, *given: program(see(oracles), *given))
    agents = [problem.agent(i) for i in range(len(W))]
    average = lambda vectors: jnp.asarray(W @ np.stack(vectors))

    def run(one: Any, t: int, i: int, state: Any, averages: list[Any]) -> Any:
        key = agent_key(run_key(seed), t, i)
        return jax.block_until_ready(one(agents[i], t, state, key, [known[i] for known in averages]))

    states = [algorithm.init(agent, problem.x0, problem.y0, jax.random.key(0)) for agent in agents]
    history = []
    for t in range(rounds):
        averages, steps = [jnp.tile(vector, (len(W), 1)) for vector in unknown], []
        with jax.disable_jit(one_by_one):
            for call in range(len(unknown)):
                rehearse = partial(program, wanted=call) if one_by_one else play
                sent = [run(rehearse, t, i, state, averages)[1][call] for i, state in enumerate(states)]
                averages[call] = average(sent)
            begin()
            for i, state in enumerate(states):
                after, sent, cost = run(play, t, i, state, averages)
                done(i)
                steps.append(Step(state, after, [np.asarray(buffer) for buffer in sent], Cost(*map(int, cost))))
        history.append(steps)
        states = [step.after for step in steps]
    return history


def close(one: Any, other: Any, atol: float) -> None:
    """Asserts that two trees of arrays are equal within a tolerance."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=atol), one, other)
