"""Processes that compute the rounds of agents of `Peers` and exchange nothing: what no exchange could save."""

from multiprocessing.connection import Connection

from benchmarks.process_group import ProcessGroup, asked


def own_rounds(agents: int, degree: int, entries: int) -> ProcessGroup:
    """Returns processes that average x with neighbours' vectors that are there already.

    Args:
        agents: The number of processes.
        degree: The number of neighbours of each.
        entries: The number of entries of x.
    """
    return ProcessGroup(_compute, [(agents, degree, entries)] * agents)


def _compute(pipe: Connection, agents: int, degree: int, entries: int) -> None:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.bare_exchange import averaged
    from hypergossip.channels.stack import Neighbourhood
    from hypergossip.core.agent_data.axis import take_agents
    from hypergossip.peers.round_program import Transfer, compiled_round, compute_in_this_thread
    from hypergossip.peers.traced_round import Here, initial_state, traced_round

    compute_in_this_thread()
    method, problem = averaged(agents, entries)
    links = Neighbourhood(jnp.uint32(0), jnp.arange(degree, dtype=jnp.uint32), jnp.full(degree, 1 / (degree + 1)))
    here = Here(method, take_agents(problem.oracles, 0), jax.random.key(0), links)
    state = initial_state(here, problem.x0, problem.y0)
    make = lambda exchange: traced_round((problem.upper, problem.lower), None, degree, False, exchange)
    program = compiled_round(make, here, state, ((entries, np.dtype(np.float32)),), degree, False)
    leaves, theirs = jax.tree.leaves(here), np.ones((degree, entries), np.float32)
    transfer = Transfer(lambda *_: None, lambda _: (theirs,))
    for count in asked(pipe):
        for round in range(count):
            state, _ = program(leaves, round, state, transfer)
        jax.block_until_ready(state)
