"""Builds an experiment from a configuration; every option is checked against the signature of its constructor."""

import inspect
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from hypergossip.channels.channel import Channel
from hypergossip.channels.requirements import check_order
from hypergossip.channels.stack import Stack, read_channel
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import LEVELS, fitted
from hypergossip.core.problem import Problem
from hypergossip.core.schedules import InverseStep, Momentum, PowerDecay, SquaredStep, StepSize
from hypergossip.lab.configuration import Configuration, Part, Raw, Source, StopRules
from hypergossip.networks import AnyNetwork
from hypergossip.networks.pairing import paired
from hypergossip.running.stopping import Stop
from hypergossip.support.registry import find, nearest

SCHEDULE = ("scale", "offset", "power")
_PLAIN = (int, float, str, bool, NoneType)


class Experiment(NamedTuple):
    """The experiment that a configuration describes.

    Attributes:
        algorithms: Label -> algorithm.
        problem: The problem.
        network: The network, with its agents in the order of the problem.
        engine: The engine.
        stop: When to stop before the last round, or None.
        channel: What the messages pass, or None for the ideal channel.
    """

    algorithms: dict[str, Algorithm]
    problem: Problem
    network: AnyNetwork
    engine: Any
    stop: Stop | None
    channel: Stack | None = None


def build(configuration: Configuration, source: Source) -> Experiment:
    """Builds everything that a configuration names.

    Raises:
        ValueError: If a name or an option is unknown, missing or invalid; the message names its section and line.
        DataUnavailable: If the data of the problem cannot be found.
    """
    stop = _stop(configuration, source)
    algorithms = build_algorithms(configuration, source)
    engine = configuration.run.engine
    engine = engine if isinstance(engine, Part) else Part(name=engine)
    engine = _construct("engines", engine.name, engine.options, ("run", "engine"), source)
    channel = build_channel(configuration, source)
    network = build_network(configuration, source)
    problem = build_problem(configuration, source, network.agents)
    for label, algorithm in algorithms.items():
        try:
            fitted(algorithm, problem.upper, problem.lower)
        except ValueError as error:
            raise ValueError(f"[methods.{label}] {error}{source.at('methods', label)}") from error
    return Experiment(algorithms, problem, paired(problem, network), engine, stop, channel)


def _stop(configuration: Configuration, source: Source) -> Stop | None:
    rules = configuration.run.stop
    if rules is None:
        return None
    try:
        return Stop(**rules.model_dump()) if isinstance(rules, StopRules) else Stop(metric=rules)
    except ValueError as error:
        raise ValueError(f"[run] {error}{source.at('run', 'stop')}") from error


def build_algorithms(configuration: Configuration, source: Source) -> dict[str, Algorithm]:
    """Builds only the algorithms, label -> algorithm.

    Raises:
        ValueError: As for `build`.
    """
    return {
        label: _construct("algorithms", method.algorithm or label, method.options, ("methods", label), source)
        for label, method in configuration.methods.items()
    }


def build_problem(configuration: Configuration, source: Source, agents: int) -> Problem:
    """Builds only the problem.

    Args:
        configuration: The configuration.
        source: Its source.
        agents: The number of agents.

    Raises:
        ValueError: As for `build`.
    """
    part = configuration.problem
    problem = _construct("problems", part.name, {"agents": agents, **part.options}, ("problem",), source)
    if not isinstance(problem, Problem):
        raise ValueError(f"[problem] {part.name} built a {type(problem).__name__}, which is not a problem.")
    return problem


def build_network(configuration: Configuration, source: Source) -> AnyNetwork:
    """Builds only the network.

    Raises:
        ValueError: As for `build`.
    """
    part = configuration.network
    network = _construct("networks", part.name, part.options, ("network",), source)
    if not isinstance(network, AnyNetwork):
        raise ValueError(f"[network] {part.name} built a {type(network).__name__}, which is not a network.")
    return network


def build_channel(configuration: Configuration, source: Source) -> Stack | None:
    """Builds only the channel.

    Raises:
        ValueError: As for `build`, or if the stages stand in an order in which they cannot work.
    """
    stages = []
    for number, part in enumerate(configuration.channel):
        path = ("channel", str(number))
        stages.append(_construct("channels", part.name, part.options, path, source))
        if not isinstance(stages[-1], Channel):
            built = type(stages[-1]).__name__
            raise ValueError(f"[channel.{number}] {part.name} built a {built}, which is not a stage of a channel.")
    if (channel := read_channel(stages)) is not None:
        try:
            check_order(channel)
        except ValueError as error:
            place = source.at("channel", "0") or source.at("channel")
            raise ValueError(f"[channel] {str(error).removeprefix('channel: ')}{place}") from error
    return channel


def _construct(kind: str, name: str, options: Raw, path: tuple[str, ...], source: Source) -> Any:
    """Calls a constructor of the registry after checking the options against its signature."""
    where = f"[{'.'.join(path)}]"
    try:
        constructor = find(kind, name)
    except ValueError as error:
        raise ValueError(f"{where} {error}{source.at(*path)}") from error.__cause__
    internal = getattr(constructor, "internal", ())
    parameters = {key: one for key, one in inspect.signature(constructor).parameters.items() if key not in internal}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    earlier = getattr(constructor, "renamed", {})
    options = {earlier.get(option, option): value for option, value in options.items()}
    for option in options:
        if option not in parameters and not open_ended:
            raise ValueError(
                f"{where} {name} has no option {option!r}; {nearest(option, parameters)}{source.at(*path, option)}"
            )
    needed = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    lacking = [option for option in needed if option not in options]
    if lacking:
        raise ValueError(
            f"{where} {name} lacks the option {lacking[0]!r}, which has no default; add it there{source.at(*path)}."
        )
    values = {}
    for option, value in options.items():
        annotation = parameters[option].annotation if option in parameters else Any
        values[option] = _value(kind, value, annotation, (*path, option), source)
    try:
        return constructor(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where} {error}{source.at(*path)}") from error


def _value(kind: str, value: Any, annotation: Any, path: tuple[str, ...], source: Source) -> Any:
    """Returns the value of one option in the type of its parameter."""
    if _is_plain(annotation):
        try:
            return TypeAdapter(annotation).validate_python(value, strict=True)
        except ValidationError as error:
            found = error.errors()  # one for each type of a union; a number may be an integer as well
            shown = next((one for one in found if one["type"] == "float_type"), found[-1])
            advice = shown["msg"].replace("Input should", "it should")
            raise ValueError(f"[{'.'.join(path[:-1])}] {path[-1]} = {value!r}: {advice}{source.at(*path)}.") from None
    if PowerDecay in get_args(annotation):
        return _power_decay(value, path, source) if isinstance(value, dict) else _number(value, path, source, True)
    if kind == "networks":
        return _networks(value, path, source)
    if kind in ("algorithms", "estimators"):
        return _hyperparameter(value, annotation in (StepSize, Momentum), path, source)
    return value


def _networks(value: Any, path: tuple[str, ...], source: Source) -> Any:
    """Returns a value in which tables with a name are networks, for networks that are made of others."""
    if isinstance(value, dict) and "name" in value:
        options = {option: inner for option, inner in value.items() if option != "name"}
        return _construct("networks", value["name"], options, path, source)
    if isinstance(value, dict):
        raise ValueError(
            f"[{'.'.join(path)}] the table has no name; write the network's name there, such as name = "
            f'"ring"{source.at(*path)}.'
        )
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [_networks(one, (*path, str(k)), source) for k, one in enumerate(value)]
    return value


def _is_plain(annotation: Any) -> bool:
    """Returns whether this is a type of TOML or a union of such types."""
    if get_origin(annotation) in (Union, UnionType):
        return all(map(_is_plain, get_args(annotation)))
    return annotation in _PLAIN


def _hyperparameter(value: Any, scheduled: bool, path: tuple[str, ...], source: Source) -> Any:
    """Returns a number, a schedule, a step size for each leaf, or an estimator.

    Args:
        value: The value.
        scheduled: Whether the option can be a schedule; only the message depends on it.
        path: The path of the option.
        source: Where it was read.
    """
    if path[-1] in LEVELS:
        return _step(value, path, source, path[-1].endswith("momentum"))
    if isinstance(value, dict) and "name" in value:
        options = {option: inner for option, inner in value.items() if option != "name"}
        return _construct("estimators", value["name"], options, path, source)
    if isinstance(value, dict) and "squared_step" in value and len(value) == 1 and "momentum" in path[-1]:
        return SquaredStep(_number(value["squared_step"], (*path, "squared_step"), source))
    if isinstance(value, dict) and list(value) == ["inverse_step"] and path[-1] == "rho":
        return InverseStep(_number(value["inverse_step"], (*path, "inverse_step"), source))
    if isinstance(value, dict):
        return _power_decay(value, path, source)
    if isinstance(value, str) and path[-1] == "hypergradient":
        return _construct("estimators", value, {}, path, source)
    return _number(value, path, source, scheduled)


def _step(value: Any, path: tuple[str, ...], source: Source, momentum: bool) -> Any:
    """Returns a step size or a momentum: a number, a schedule, or a table or array of these for the leaves.

    A table is a schedule if one of the options of a schedule has a plain value in it. A leaf with the name of such an
    option can be given as a table.
    """
    if isinstance(value, list):
        return [_step(inner, (*path, str(i)), source, momentum) for i, inner in enumerate(value)]
    if not isinstance(value, dict):
        return _number(value, path, source, scheduled=True)
    plain = [option for option, inner in value.items() if not isinstance(inner, dict | list)]
    if momentum and list(value) == plain == ["squared_step"]:
        return SquaredStep(_number(value["squared_step"], (*path, "squared_step"), source))
    if not value or any(option in SCHEDULE for option in plain):
        return _power_decay(value, path, source)
    return {option: _step(inner, (*path, option), source, momentum) for option, inner in value.items()}


def _power_decay(table: Raw, path: tuple[str, ...], source: Source) -> PowerDecay:
    for option in table:
        if option not in SCHEDULE:
            raise ValueError(
                f"[{'.'.join(path)}] has no option {option!r}; a schedule is {{scale, offset, power}}, a momentum can "
                "be {squared_step}, and an estimator has a name. In a table of step sizes for the leaves, write a leaf "
                f"named scale, offset or power as {{scale = {{scale = 0.1, power = 0}}}}{source.at(*path, option)}."
            )
    if "scale" not in table:
        raise ValueError(
            f"[{'.'.join(path)}] lacks the option 'scale'; a schedule is scale * (offset + t)^-power{source.at(*path)}."
        )
    try:
        return PowerDecay(**{name: _number(value, (*path, name), source) for name, value in table.items()})
    except ValueError as error:
        raise ValueError(f"[{'.'.join(path)}] {error}{source.at(*path)}") from None


def _number(value: Any, path: tuple[str, ...], source: Source, scheduled: bool = False) -> float:
    """Returns a number, also from a fraction in a string such as "1/3", since TOML has no fractions."""
    if isinstance(value, str):
        try:
            return float(Fraction(value))
        except (ValueError, ZeroDivisionError):
            pass
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    kinds = 'a number or a fraction such as "1/3"'
    if scheduled:
        kinds = 'a number, a fraction such as "1/3", or a table such as {scale = 0.5, offset = 2, power = "1/3"}'
    raise ValueError(f"[{'.'.join(path[:-1])}] {path[-1]} = {value!r}: give {kinds}{source.at(*path)}.")
