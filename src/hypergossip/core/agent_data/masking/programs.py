"""Runs a traced program with a symbolic number of rows, and the programs nested in it, on padded arrays."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.extend.core import primitives as p

from hypergossip.core.agent_data.masking.rows import CannotMask, Rows, is_fixed, row_axes
from hypergossip.core.agent_data.masking.rules import ELEMENTWISE, RULES, Rule, unchanged


def run(program: ClosedJaxpr | Jaxpr, arguments: Sequence[Any], rows: Rows) -> list[Any]:
    """Runs a traced program on padded arrays.

    Args:
        program: A program with a symbolic number of rows.
        arguments: Its arguments, padded.
        rows: The numbers of rows.

    Returns:
        Its results, padded.

    Raises:
        CannotMask: If it contains an operation that mixes rows in a way that no rule covers.
    """
    closed = program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())
    values: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    values |= dict(zip(closed.jaxpr.invars, arguments, strict=True))
    read = lambda atom: atom.val if isinstance(atom, Literal) else values[atom]
    for equation in closed.jaxpr.eqns:
        results = rule(equation)(equation, [read(atom) for atom in equation.invars], rows)
        values |= dict(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def rule(equation: Any) -> Rule:
    """Returns the rule of an operation.

    Raises:
        CannotMask: If there is none.
    """
    name = equation.primitive.name
    if name in NESTED or name in RULES:
        return NESTED.get(name) or RULES[name]
    if name in ELEMENTWISE or not any(row_axes(atom.aval) for atom in (*equation.invars, *equation.outvars)):
        return unchanged
    raise CannotMask(f"its operation {name!r} acts on the rows in an unknown way")


def _inline(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return run(inner, arguments, rows)


def _checkpointed(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    again = jax.checkpoint(lambda *values: run(equation.params["jaxpr"], values, rows))
    return again(*arguments)


def _custom_jvp(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Keeps the function's own derivative rule."""

    @jax.custom_jvp
    def function(*values: Any) -> list[Any]:
        return run(equation.params["call_jaxpr"], values, rows)

    @function.defjvp
    def derivative(primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
        still = [tangent.dtype == jax.dtypes.float0 for tangent in tangents]
        jaxpr, consts, zeros = equation.params["jvp_jaxpr_fun"].call_wrapped(*still)
        moving = [tangent for tangent, no in zip(tangents, still, strict=True) if not no]
        results = run(ClosedJaxpr(jaxpr, consts), [*primals, *moving], rows)
        values, moved = results[: len(zeros)], iter(results[len(zeros) :])
        return values, [jnp.zeros_like(value) if no else next(moved) for value, no in zip(values, zeros, strict=True)]

    return function(*arguments)


def _choose(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    index, *operands = arguments
    branches = [lambda *values, branch=branch: run(branch, values, rows) for branch in equation.params["branches"]]
    if isinstance(index, int | np.integer):
        return branches[int(index)](*operands)
    return lax.switch(index, branches, *operands)


def _platform(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Takes the default branch, since the branches for named platforms compute the same."""
    named = [platforms is not None for platforms in equation.params["platforms"]]
    return [np.int32(named.index(False))]


def _loop(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    counts = equation.params["cond_nconsts"], equation.params["body_nconsts"]
    of_condition, of_body = arguments[: counts[0]], arguments[counts[0] : sum(counts)]
    condition = lambda carry: run(equation.params["cond_jaxpr"], [*of_condition, *carry], rows)[0]
    body = lambda carry: run(equation.params["body_jaxpr"], [*of_body, *carry], rows)
    return lax.while_loop(condition, body, arguments[sum(counts) :])


def _scan(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Scans over the padding as well if the scan is over rows, but excludes the padding from the carry."""
    given, carried, length = (equation.params[name] for name in ("num_consts", "num_carry", "length"))
    consts, start, xs = arguments[:given], arguments[given : given + carried], arguments[given + carried :]
    over_rows = not is_fixed(length)

    def body(carry: list[Any], step: tuple[Any, list[Any]]) -> tuple[list[Any], list[Any]]:
        place, x = step
        results = run(equation.params["jaxpr"], [*consts, *carry, *x], rows)
        after, out = results[:carried], results[carried:]
        if over_rows:
            after = [jnp.where(place < rows.real(length), new, old) for new, old in zip(after, carry, strict=True)]
        return after, out

    steps = jnp.arange(rows.size(length))
    options = {"reverse": equation.params["reverse"], "unroll": equation.params["unroll"]}
    after, out = lax.scan(body, start, (steps, xs), **options)
    return [*after, *out]


NESTED: dict[str, Rule] = {
    "jit": _inline,
    "closed_call": _inline,
    p.remat_p.name: _checkpointed,
    p.custom_jvp_call_p.name: _custom_jvp,
    p.cond_p.name: _choose,
    "platform_index": _platform,
    p.while_p.name: _loop,
    p.scan_p.name: _scan,
}
