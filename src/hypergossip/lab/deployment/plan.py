"""The plan of a network of agents: an experiment file with the agents' names and addresses."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
from pydantic import Field

from hypergossip.lab.assignment import assign
from hypergossip.lab.build import build, build_channel, build_network
from hypergossip.lab.configuration import Part, Raw, RunSection, Section, Source, TuneSection, read, validated
from hypergossip.lab.deployment.addresses import LOOPBACK, Place, check_names, give_ports, on_this_machine
from hypergossip.lab.deployment.agent_file import FILE, STATE, STEM, certificate_table
from hypergossip.lab.deployment.program import find_program
from hypergossip.lab.deployment.program_files import ProgramFiles
from hypergossip.lab.deployment.sections import RulesSection, TaskSection, WorkSections
from hypergossip.lab.experiments.comparison import check
from hypergossip.networks import AnyNetwork, Network
from hypergossip.peers.agent_settings import Policy
from hypergossip.support.arguments import seed_number


class PeersSection(RulesSection):
    """The section ``[peers]`` of a plan.

    Attributes:
        port: The first port of agents that have none of their own.
    """

    port: int = Field(default=7450, ge=1, le=65_535)


class PlanTask(TaskSection):
    """The section ``[task]`` of a plan.

    Attributes:
        files: Files and folders that the program needs, relative to the folder of the plan.
    """

    files: list[str] = Field(default_factory=list)


class AgentSection(Section):
    """A section ``[[agents]]``.

    Attributes:
        name: The agent's name.
        host: The host name or address at which its neighbours reach it.
        port: Its port; by default, the next free one of its host, from that of ``[peers]`` on.
    """

    name: str
    host: str = LOOPBACK
    port: int | None = Field(default=None, ge=1, le=65_535)


class PlanFile(WorkSections[PlanTask]):
    """The file of a plan.

    Attributes:
        network: ``[network]``, a name and options, including the weights.
        run: ``[run]``.
        peers: ``[peers]``.
        agents: ``[[agents]]``, one section for each agent; by default, all agents are on this machine.
        tune: ``[tune]``, which `hypergossip tune` alone uses.
    """

    network: Part
    run: RunSection
    peers: PeersSection = Field(default_factory=PeersSection)
    agents: list[AgentSection] = Field(default_factory=list)
    tune: TuneSection = Field(default_factory=TuneSection)


@dataclass(frozen=True)
class Plan:
    """A plan that has been checked.

    Attributes:
        path: The file.
        raw: Its content, with the one method that was chosen.
        file: Its sections.
        network: The network, in the agents' order.
        places: The agents, in order.
        policy: What an agent does when a message has not come.
        precision: "float32" or "float64".
        program: The file of the program, or None.
        beside: The files that the program needs, or None.
        warnings: What is likely to impair the run.
    """

    path: Path
    raw: Raw
    file: PlanFile
    network: Network
    places: tuple[Place, ...]
    policy: Policy
    precision: str
    program: Path | None = None
    beside: ProgramFiles | None = None
    warnings: tuple[str, ...] = ()

    def on_this_machine(self) -> "Plan":
        """Returns the same plan with all agents on this machine, at ports that are free now."""
        return replace(self, places=on_this_machine([place.name for place in self.places]))


def read_plan(path: Path, method: str | None = None) -> Plan:
    """Reads a plan and checks everything that can be checked before anything is written.

    Args:
        path: The file.
        method: The label of the method, or None for the only one of the file.

    Raises:
        ValueError: If an option is unknown, missing or invalid; the message names its section and line.
        DataUnavailable: If the data of the problem cannot be found.
    """
    raw, source = read(path)
    raw = _with_one_method(raw, method)
    file = validated(PlanFile, raw, source)
    file.check_work(source)
    policy = file.peers.rules(source)
    _check_run(file, source)
    program = file.task and find_program(file.task.program, path.parent, source)
    beside = file.task and program and _beside(file.task.files, path.parent, program, source)
    default = "float64" if jax.config.read("jax_enable_x64") else "float32"
    precision = file.run.precision or default
    warnings: list[str] = []
    # The configuration of one process, in which everything is tried out before it is written for several.
    configuration = file.configuration(file.network, file.run.model_copy(update={"engine": "simulated"}))
    fixed = _check_network(build_network(configuration, source), source)
    with jax.enable_x64(precision == "float64"):
        if file.task is None:
            experiment = build(configuration, source)
            fixed = _check_network(experiment.network, source)
            warnings = check(experiment)
        else:
            build_channel(configuration, source)
    places = _places(file, fixed, source)
    return Plan(path, raw, file, fixed, places, policy, precision, program, beside, tuple(dict.fromkeys(warnings)))


def _with_one_method(raw: Raw, method: str | None) -> Raw:
    """Returns the plan with the methods of [run] alone, or with the one that the command line names."""
    if method is not None:
        raw = assign(raw, ("run", "methods"), [method])
    run, methods = raw.get("run"), raw.get("methods", {})
    wanted = run.get("methods") if isinstance(run, dict) else None
    if not isinstance(wanted, list) or not isinstance(methods, dict):
        return raw
    return {**raw, "methods": {str(label): methods.get(str(label), {}) for label in wanted}}


def _check_run(file: PlanFile, source: Source) -> None:
    run = file.run
    try:
        seed_number(run.seed)
    except ValueError as error:
        raise ValueError(f"[run] {error}{source.at('run', 'seed')}") from None
    if run.seeds != 1:
        raise ValueError(
            f"[run] seeds = {run.seeds}, but agents on a network run one seed at a time; remove the option and deploy "
            f"once for each seed{source.at('run', 'seeds')}."
        )
    if run.stop is not None:
        raise ValueError(
            "[run] stop needs the points of all agents, which no agent of a network knows; remove the option, and the "
            f"agents run all rounds{source.at('run', 'stop')}."
        )
    engine = run.engine if isinstance(run.engine, str) else run.engine.name
    if engine not in ("simulated", "peers"):
        raise ValueError(
            f"[run] engine = {engine!r}, but every agent of a deployment is a process of its own; remove the "
            f"option{source.at('run', 'engine')}."
        )


def _beside(files: list[str], folder: Path, program: Path, source: Source) -> ProgramFiles:
    taken = (FILE, STATE, *certificate_table(STEM).values(), program.name)
    return ProgramFiles(files, folder, program, taken, source)


def _check_network(network: AnyNetwork, source: Source) -> Network:
    line = source.at("network")
    if not isinstance(network, Network):
        raise ValueError(
            f"[network] {network.name} changes from round to round, but agents on a network keep the same "
            f"neighbours; deploy its graph without the changes{line}."
        )
    if network.directed:
        raise ValueError(
            f"[network] {network.name} is directed, but two agents on a network talk in both directions; choose an "
            f"undirected network{line}."
        )
    if (fault := network.fault("connected")) is not None:
        raise ValueError(f"[network] {fault}{line}")
    return network


def _places(file: PlanFile, network: Network, source: Source) -> tuple[Place, ...]:
    """Returns the agents in the network's order."""
    nodes = None if network.names is None else [str(name) for name in network.names]
    if not file.agents:
        names = nodes or [f"agent-{i}" for i in range(network.agents)]
        check_names(names, source)
        return give_ports([(name, LOOPBACK, None) for name in names], file.peers.port, source)
    if len(file.agents) != network.agents:
        raise ValueError(
            f"there are {len(file.agents)} sections [[agents]], but the network has {network.agents} agents; give one "
            f"section for each, or change [network]{source.at('network')}."
        )
    check_names([agent.name for agent in file.agents], source)
    given = [(agent.name, agent.host, agent.port) for agent in file.agents]
    places = give_ports(given, file.peers.port, source)
    if nodes is None:
        return places
    by_name = {place.name: place for place in places}
    if missing := [name for name in nodes if name not in by_name]:
        raise ValueError(
            f"the network's node {missing[0]!r} has no section [[agents]] of this name; give the agents the names of "
            f"the nodes{source.at('agents')}."
        )
    return tuple(replace(by_name[name], number=i) for i, name in enumerate(nodes))
