"""The full-data loss: the user's own function, called on an agent's own rows for any number of rows.

Agents that are computed side by side need arrays of one shape. If they hold different numbers of rows, each agent is
padded to the largest. A loss is then called on an agent's own rows in the first of the following ways that is correct
for it, which is checked at generic points against the loss itself on the agent's unpadded rows:

- "masked": the program of the loss, traced once, runs with the padding excluded (`agent_data.masking`);
- "sizes": the loss itself is compiled once for each number of rows, if there are few such numbers;
- "mean": the mean over the losses of single rows, if the loss is such a mean.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from hypergossip.core.agent_data.masking import CannotMask, on_own_rows
from hypergossip.support.compilation import compiled
from hypergossip.support.float64 import in_float64, to_float64

Tree = Any
Loss = Callable[[Any, Any, Any], Any]

MOST_SHAPES = 8  # the largest number of row counts for each of which a loss may be compiled
AGREEMENT = 1e-6  # relative, in float64; a loss may contain constants of lower precision


class Whole(NamedTuple):
    """How a level's loss is called on all of an agent's rows.

    Attributes:
        kind: "equal" if all agents hold equally many rows; "masked", "sizes" or "mean" (see above).
        sizes: The different numbers of rows, ascending.
    """

    kind: str
    sizes: tuple[int, ...]


def whole_loss(loss: Loss, whole: Whole, data: Tree, count: Any) -> Callable[[Any, Any], Any]:
    """Returns (x, y) -> the loss on all of one agent's rows.

    Args:
        loss: f(x, y, batch) -> scalar.
        whole: How to call it.
        data: A pytree, leaves (rows, ...). Rows from `count` on are padding that repeats the agent's own rows.
        count: The agent's number of rows, a scalar.
    """
    on = lambda rows: lambda x, y: loss(x, y, _first(data, rows))
    if whole.kind == "equal":
        return on(whole.sizes[0])
    if not isinstance(count, Tracer) and len(whole.sizes) <= MOST_SHAPES:
        return on(int(count))  # one agent outside of a compiled program, where shapes may differ
    if whole.kind == "masked":
        return lambda x, y: on_own_rows(loss, x, y, data, count)
    if whole.kind == "sizes":
        which = jnp.searchsorted(jnp.asarray(whole.sizes), count)
        return lambda x, y: lax.switch(which, [on(rows) for rows in whole.sizes], x, y)
    return mean_of_rows(loss, data, count)


def mean_of_rows(loss: Loss, data: Tree, count: Any) -> Callable[[Any, Any], Any]:
    """Returns (x, y) -> the mean over the losses of the first `count` rows, each as a batch of one."""
    rows = jax.tree.leaves(data)[0].shape[0]

    def mean(x: Any, y: Any) -> Any:
        single = jax.vmap(lambda row: loss(x, y, jax.tree.map(lambda leaf: leaf[None], row)))(data)
        real = jnp.arange(rows) < count
        return jnp.sum(jnp.where(real, single, 0.0)) / jnp.asarray(count).astype(single.dtype)

    return mean


def check_loss(name: str, loss: Loss, agent: Tree, x0: Tree, y0: Tree) -> bool:
    """Traces a loss on the data of agent 0, and refuses losses that would cause unclear errors later.

    Args:
        name: "upper" or "lower".
        loss: f(x, y, batch) -> scalar.
        agent: Agent 0's data, a pytree of NumPy arrays.
        x0: One agent's starting point.
        y0: Likewise.

    Returns:
        Whether the loss calls back a Python function.

    Raises:
        ValueError: If the loss does not return a floating scalar, or needs a vector but gets a list of numbers.
    """
    default = lambda of: (
        jnp.result_type(float) if jnp.issubdtype(of, jnp.floating) else jax.dtypes.canonicalize_dtype(of)
    )
    abstract = lambda trees: jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, default(leaf.dtype)), trees)
    try:
        program, value = jax.make_jaxpr(loss, return_shape=True)(*abstract((x0, y0, agent)))
    except Exception as error:
        if advice := _about_lists({"x0": x0, "y0": y0}, lambda x, y: jax.eval_shape(loss, *abstract((x, y, agent)))):
            raise ValueError(f"the {name} loss fails on {advice}") from error
        named = zip(("x0", "y0", "batch"), (x0, y0, agent), strict=True)
        given = ", ".join(f"{what} {jax.tree.map(jnp.shape, tree)}" for what, tree in named)
        error.add_note(f"This was the {name} loss on the samples of agent 0, called with the shapes: {given}.")
        raise
    if not hasattr(value, "shape") or value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        kind = f"shape {value.shape} of type {value.dtype}" if hasattr(value, "shape") else f"a {type(value).__name__}"
        raise ValueError(f"the {name} loss returned {kind}, not a floating scalar; take the mean over the batch.")
    return "callback" in str(program)


def _about_lists(starts: dict[str, Tree], trace: Callable[[Tree, Tree], Any]) -> str:
    """Returns advice on lists of numbers in a starting point if the loss can be traced with arrays instead, or ""."""

    def is_list(node: Any) -> bool:
        return type(node) in (list, tuple) and len(node) > 0 and all(np.shape(leaf) == () for leaf in node)

    lists = {
        name + jax.tree_util.keystr(path): node
        for name, tree in starts.items()
        for path, node in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_list)
        if is_list(node)
    }
    if not lists:
        return ""
    arrays = jax.tree.map(lambda node: np.stack(node) if is_list(node) else node, starts, is_leaf=is_list)
    try:
        trace(*arrays.values())
    except Exception:  # report the first error, not this one
        return ""
    name, node = next(iter(lists.items()))
    return (
        f"{name}, a {type(node).__name__} of {len(node)} numbers, which is read as a pytree of {len(node)} scalars; "
        "write np.array([...]) for one vector."
    )


def choose_whole(
    name: str, loss: Loss, agents: Sequence[Tree], sizes: tuple[int, ...], x0: Tree, y0: Tree, python: bool = False
) -> Whole:
    """Returns how a level's loss is called on all rows of every agent.

    Args:
        name: "upper" or "lower", for the message.
        loss: f(x, y, batch) -> scalar.
        agents: One pytree of NumPy arrays for each agent, leaves (rows, ...): all agents, or those of one process.
        sizes: The different numbers of rows of all agents, ascending.
        x0: One agent's starting point.
        y0: Likewise.
        python: Whether the loss calls back a Python function.

    Raises:
        ValueError: If agents hold too many different numbers of rows for a loss that can only be called on one shape.
    """
    if len(sizes) == 1:
        return Whole("equal", sizes)
    own = lambda *arguments: loss(*arguments)  # compiled for this problem only, and always hashable
    counts, few = [jax.tree.leaves(agent)[0].shape[0] for agent in agents], len(sizes) <= MOST_SHAPES
    here = sorted(set(counts))
    chosen = [
        counts.index(size) for size in (here if few else dict.fromkeys((here[0], here[len(here) // 2], here[-1])))
    ]
    try:
        if _is_right(own, on_own_rows, agents, chosen, sizes[-1], x0, y0, python):
            return Whole("masked", sizes)
        obstacle = "its program on padded rows gives a different value from the loss itself"
    except CannotMask as why:
        obstacle = str(why)
    except Exception as error:  # from the user's function or JAX; the ways below call the loss itself
        obstacle = f"its program on padded rows cannot be differentiated ({type(error).__name__})"
    if few:
        return Whole("sizes", sizes)
    spread = np.unique(np.linspace(0, len(here) - 1, MOST_SHAPES).astype(int))
    single = lambda loss, x, y, batch, own: mean_of_rows(loss, batch, own)(x, y)
    if _is_right(own, single, agents, [counts.index(here[k]) for k in spread], sizes[-1], x0, y0, python):
        return Whole("mean", sizes)
    raise ValueError(
        f"the {name} loss cannot be called on agents that hold {len(sizes)} different numbers of samples: it is not a "
        f"mean over its samples, and {obstacle}. Write it with jax.numpy on whole arrays (batch[...].shape[0] for the "
        f"number of samples, not len), or give the agents at most {MOST_SHAPES} different numbers of samples."
    )


def _is_right(
    loss: Loss,
    call: Callable,
    agents: Sequence[Tree],
    chosen: Sequence[int],
    rows: int,
    x0: Tree,
    y0: Tree,
    python: bool,
) -> bool:
    """Returns whether a way of calling a loss on padded rows agrees with the loss itself, in value and gradients."""
    random = np.random.default_rng(0)
    start = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (x0, y0))
    moved = jax.tree.map(lambda v: v + 0.1 * (1 + abs(v)) * random.standard_normal(v.shape), start)
    with in_float64(python):
        own = [to_float64(jax.tree.map(jnp.asarray, agents[i])) for i in chosen]
        for x, y in (start, moved):
            ours, theirs = jax.block_until_ready(_both(loss, call, rows, x, y, own))
            for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
                size = float(np.max(np.abs(np.nan_to_num(other)), initial=1e-3))
                if not np.allclose(one, other, rtol=0, atol=AGREEMENT * size, equal_nan=True):
                    return False
    return True


@compiled("loss", "call", "rows")
def _both(loss: Loss, call: Callable, rows: int, x: Tree, y: Tree, own: list[Tree]) -> tuple[list, list]:
    """Returns the loss on padded and on unpadded rows for every agent, with gradients for the first and the last."""
    derived = lambda function: jax.value_and_grad(function, (0, 1))(x, y)
    ours, theirs = [], []
    for k, data in enumerate(own):
        of = derived if k in (0, len(own) - 1) else lambda function: function(x, y)  # derivatives take long to compile
        count = jax.tree.leaves(data)[0].shape[0]
        padded = jax.tree.map(lambda leaf, count=count: leaf[np.arange(rows) % count], data)
        real = lax.optimization_barrier(jnp.asarray(count))  # unknown at compile time, as in a run
        ours.append(of(lambda x, y, padded=padded, real=real: call(loss, x, y, padded, real)))
        theirs.append(of(lambda x, y, data=data: loss(x, y, data)))
    return ours, theirs


def _first(data: Tree, rows: int) -> Tree:
    return jax.tree.map(lambda leaf: leaf[:rows], data)
