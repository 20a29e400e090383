"""The number of iterations of a traced loop, where it is fixed."""

from typing import Any

from jax.extend.core import JaxprEqn, Literal


def fixed_turns(eqn: JaxprEqn) -> int:
    """Returns the number of iterations of a `while` that `jax.lax.fori_loop` made with two known bounds.

    Args:
        eqn: The equation of the loop.

    Raises:
        ValueError: If it is another loop.
    """
    unknown = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    until, body = eqn.params["cond_jaxpr"].jaxpr, eqn.params["body_jaxpr"].jaxpr
    bounds, compared = eqn.invars[sum(unknown) :][:2], until.invars[unknown[0] :][:2]
    counter, end = [*body.invars[unknown[1] :], None, None][:2]
    if (
        [(test.primitive.name, test.invars) for test in until.eqns] == [("lt", compared)]
        and body.outvars[1] is end
        and any(_adds_one(part, counter) and part.outvars[0] is body.outvars[0] for part in body.eqns)
    ):
        known = [int(bound.val) for bound in bounds if isinstance(bound, Literal)]
        if len(known) == 2:
            return max(0, known[1] - known[0])
    raise ValueError(
        "mix is called in a loop whose number of iterations is not fixed, so a round's messages cannot be counted; "
        "give the loop a Python number of iterations, such as a field marked by static()."
    )


def _adds_one(eqn: JaxprEqn, counter: Any) -> bool:
    one = getattr(eqn.invars[1], "val", None) if eqn.primitive.name == "add" else None
    return one is not None and int(one) == 1 and eqn.invars[0] is counter
