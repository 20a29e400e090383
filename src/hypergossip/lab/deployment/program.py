"""A user's program, make(agents) -> (algorithm, problem), and how it runs with the data of one agent alone."""

import ast
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hypergossip.core.agent_data.one_agent import only
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.problem import Problem
from hypergossip.lab.configuration import Source

MODULE = "hypergossip_task"


def find_program(text: str, folder: Path, source: Source) -> Path:
    """Returns the file of a program, after checking that it is Python and has the function.

    Args:
        text: The file and the function, such as "task.py:make".
        folder: The folder to which the file is relative.
        source: The source of the text, for the message.

    Raises:
        ValueError: If there is no such file or function, or it is not Python.
    """
    line = source.at("task", "program")
    name, _, function = text.rpartition(":")
    if not name.endswith(".py") or not function.isidentifier():
        raise ValueError(
            f'[task] program = {text!r} is not a file of Python and a function in it; write it as "task.py:make"{line}.'
        )
    path = folder / name
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ValueError(
            f"[task] the program {path} cannot be read ({error.strerror}); its path is relative to the folder of "
            f"{source.name}{line}."
        ) from None
    except (SyntaxError, ValueError) as error:
        place = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ValueError(f"[task] {name}{place} is not valid Python ({error}); correct it there{line}.") from None
    if function not in _names(tree):
        raise ValueError(
            f"[task] {name} has no function {function!r}; define {function}(agents), which returns the algorithm and "
            f"the problem{line}."
        )
    return path


def run_program(path: Path, function: str, number: int, agents: int) -> tuple[Any, Problem]:
    """Returns the algorithm and the problem that a program makes.

    Args:
        path: The file.
        function: The name of the function in it.
        number: The agent's number; only its data are loaded.
        agents: The number of agents.

    Raises:
        ValueError: If the program fails, or returns something else; the message names its file and line.
    """
    spec = spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a file of Python.")
    module = module_from_spec(spec)
    sys.modules[MODULE] = module  # as for any module, so that its classes are found by name
    # As for a script: the modules beside it are found, also by an import inside a function that runs later.
    if (beside := str(path.parent.resolve())) not in sys.path:
        sys.path.insert(0, beside)
    with only(number) as loaded:
        try:
            spec.loader.exec_module(module)
            made = getattr(module, function)(agents)
        except Exception as error:
            entries = traceback.extract_tb(error.__traceback__)
            lines = [entry.lineno for entry in entries if Path(entry.filename).resolve() == path.resolve()]
            place = f", line {lines[-1]}" if lines else ""
            raise ValueError(
                f"{path.name}{place}: {function}({agents}) failed with {type(error).__name__}: {error}; "
                f"{_advice(error)}--debug shows the whole traceback."
            ) from error
    where = f"{path.name}: {function}({agents})"
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], Problem):
        raise ValueError(f"{where} returned {_kind(made)}; return a pair, the algorithm and the problem.")
    algorithm, problem = made
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"{where} returned {_kind(algorithm)} in the place of the algorithm; return it first.")
    own = loaded.numbers[-1] if loaded.numbers and problem.identities.tolist() == [number] else problem.agents
    if own != agents:
        raise ValueError(
            f"{where} made a problem of {own} agents, but the network has {agents}; make it with n={agents}, which is "
            "the argument."
        )
    try:
        fitted(algorithm, problem.upper, problem.lower)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return algorithm, problem


def _advice(error: Exception) -> str:
    if not isinstance(error, ModuleNotFoundError | FileNotFoundError):
        return ""
    return "what the plan names in [task] files is copied beside the program; "


def _names(tree: ast.Module) -> set[str]:
    """Returns the names that a module defines at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        else:
            names |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            names |= {part.name for part in ast.walk(node) if isinstance(part, ast.FunctionDef)}
    return names


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(one).__name__ for one in value) or 'nothing'}"
    return f"a {type(value).__name__}"
