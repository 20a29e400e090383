"""From an agent's file to the settings with which it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from hypergossip.lab.build import build_algorithms, build_channel, build_problem
from hypergossip.lab.configuration import Part, RunSection, Source
from hypergossip.lab.deployment.agent_file import AgentFile, read_agent
from hypergossip.lab.deployment.program import find_program, run_program
from hypergossip.lab.deployment.signing import refuse_unusable
from hypergossip.peers.agent_settings import AgentSettings, Neighbour
from hypergossip.peers.link_settings import Certificates


@contextmanager
def precision(wanted: str) -> Iterator[None]:
    """Sets the precision of JAX for all threads, since an agent's rounds and its messages are not in the same one.

    Args:
        wanted: "float32" or "float64".
    """
    before = bool(jax.config.read("jax_enable_x64"))
    jax.config.update("jax_enable_x64", wanted == "float64")
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@contextmanager
def agent_settings(path: Path) -> Iterator[AgentSettings]:
    """Yields the settings of an agent, under its precision.

    Args:
        path: Its file.

    Raises:
        ValueError: If an option is invalid, a certificate cannot be used, or the program fails.
        DataUnavailable: If the data of the problem cannot be found.
    """
    file, source = read_agent(path)
    given = file.certificates
    certificates = Certificates(*(path.parent / name for name in (given.authority, given.certificate, given.key)))
    refuse_unusable(certificates, file.agent.name)
    with precision(file.run.precision):
        yield _settings(file, source, path.parent, certificates)


def _settings(file: AgentFile, source: Source, folder: Path, certificates: Certificates) -> AgentSettings:
    me = file.agent
    run = RunSection(rounds=file.run.rounds, seed=file.run.seed)
    configuration = file.configuration(Part(name="network"), run)
    if file.task is None:
        algorithm = next(iter(build_algorithms(configuration, source).values()))
        problem = build_problem(configuration, source, me.agents)
    else:
        path = find_program(file.task.program, folder, source)
        algorithm, problem = run_program(path, file.task.program.rpartition(":")[2], me.number, me.agents)
    return AgentSettings(
        name=me.name,
        number=me.number,
        agents=me.agents,
        run=me.run,
        listen=me.listen,
        neighbours=tuple(Neighbour(one.name, one.number, one.address, one.weight) for one in file.neighbours),
        algorithm=algorithm,
        problem=problem,
        rounds=file.run.rounds,
        seed=file.run.seed,
        policy=file.peers.rules(source),
        channel=build_channel(configuration, source),
        certificates=certificates,
        observers=tuple(me.observers),
        state=None if me.state is None else folder / me.state,
        checkpoint_every=file.peers.checkpoint_every,
    )
