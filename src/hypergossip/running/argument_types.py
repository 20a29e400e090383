"""Checks the types of the arguments of solve, tune and check_hypergradient."""

from dataclasses import fields, is_dataclass
from os import PathLike
from typing import Any

import jax

from hypergossip.core.algorithm import Algorithm
from hypergossip.core.declarations import refuse_old_form
from hypergossip.core.problem import Problem
from hypergossip.engines.engine import Engine
from hypergossip.networks import AnyNetwork
from hypergossip.support.arguments import described as _named


def check_kinds(algorithm: Any, problem: Any, network: Any, engine: Any) -> None:
    """Raises ValueError if an argument is not an algorithm, a problem, a network or an engine.

    Args:
        algorithm: An instance of an algorithm's class.
        problem: A `hypergossip.Problem`.
        network: A network of `hypergossip.networks`.
        engine: An engine, or None.

    Raises:
        ValueError: If one has the wrong type; the message says what to pass instead.
    """
    check_algorithm(algorithm)
    check_problem(problem)
    if not isinstance(network, AnyNetwork):
        raise ValueError(
            f"network is {_named(network)}; give a hypergossip Network, such as hypergossip.networks.ring(9). "
            "networks.from_mixing makes one from a matrix W, networks.from_networkx from a NetworkX graph and "
            "networks.from_edges from a list of edges; networks.over_time.in_turn takes several networks, one a round."
        )
    # A path also has a method `open`.
    if engine is not None and (isinstance(engine, type | PathLike) or not isinstance(engine, Engine)):
        raise ValueError(
            f"engine is {_named(engine)}; give an instance, such as hypergossip.Simulated(), hypergossip.Sharded() or "
            "hypergossip.Debug()."
        )


def check_problem(problem: Any) -> None:
    """Raises ValueError if the argument is not a `hypergossip.Problem`."""
    if not isinstance(problem, Problem):
        raise ValueError(
            f"problem is {_named(problem)}; give a hypergossip.Problem, made from losses and data, by "
            "Problem.from_oracles or by a function of hypergossip.problems."
        )


def check_algorithm(algorithm: Any) -> None:
    """Raises ValueError if the argument is not an algorithm, or if one of its parts is a class, not an instance."""
    example = "such as hypergossip.DSGD(0.1, 0.1, hypergossip.ConjugateGradient(10))"
    if isinstance(algorithm, type):
        raise ValueError(
            f"algorithm is {_named(algorithm)}; give an instance with hyperparameters, {_call(algorithm)}."
        )
    missing = [name for name in ("init", "step") if not callable(getattr(algorithm, name, None))]
    if missing:
        raise ValueError(
            f"algorithm is {_named(algorithm)}, which has no {', '.join(missing)}; give an algorithm, {example}."
        )
    if is_dataclass(algorithm):
        refuse_old_form(type(algorithm))
    if not isinstance(algorithm, Algorithm):
        raise ValueError(
            f"algorithm is {_named(algorithm)}, whose class does not derive from hypergossip.core.algorithm.Algorithm; "
            f"write class {type(algorithm).__name__}(Algorithm)."
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(algorithm):
        if leaf is algorithm:
            raise ValueError(
                f"algorithm is {_named(algorithm)}, whose class is not registered; put "
                "hypergossip.core.algorithm.register above the class as a decorator."
            )
        if isinstance(leaf, type):
            raise ValueError(
                f"{type(algorithm).__name__}{jax.tree_util.keystr(path)} is {_named(leaf)}; give an instance, "
                f"{_call(leaf)}."
            )


def check_estimator(estimator: Any) -> None:
    """Raises ValueError if the argument is not an estimator of the hypergradient."""
    if isinstance(estimator, type):
        raise ValueError(f"estimator is {_named(estimator)}; give an instance, {_call(estimator)}.")
    if not callable(estimator):
        raise ValueError(
            f"estimator is {_named(estimator)}; give an estimator of the hypergradient, such as "
            "hypergossip.ConjugateGradient(10)."
        )


def _call(cls: type) -> str:
    """Returns an example of a call that makes an instance of a class."""
    names = ", ".join(field.name for field in fields(cls)) if is_dataclass(cls) else "..."
    return f"such as {cls.__name__}({names})"
