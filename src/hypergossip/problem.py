"""A decentralized bilevel problem: every agent's losses and data, where they start, and what the network shares."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from hypergossip.algorithm import LossOracles, Oracles, Vector
from hypergossip.naming import agent_label, read_names
from hypergossip.oracles import AutodiffOracles, Form
from hypergossip.space import Space
from hypergossip.whole_data import Loss, choose_whole

Tree = Any
Observation = Callable[[Tree, Tree], Any]
Together = Callable[[Any, Any, Any], Any]
Share = str | Mapping[str, Any]

SHARES: dict[str, tuple[bool, bool]] = {"upper": (True, False), "lower": (False, True), "both": (True, True)}
SAMPLINGS = ("iid", "blocks")
LARGE = 100_000_000  # bytes: padded data above this are worth a word where they are much more than was given


class Problem:
    """``min_x 1/n sum_i f_i(x_i, y*(x))`` over a network, ``y*`` the solution of the lower level.

    Attributes:
        oracles: Every agent's oracles, one pytree whose leaves have a leading axis (agents, ...).
        agents: The number of agents n.
        identities: (agents,) each agent's permanent identity, from which its random numbers come.
        upper: The space of x: p entries, and which of them the network shares.
        lower: The space of y: q entries, likewise.
        x0: (p,) where every agent starts.
        y0: (q,) likewise.
        observe: The problem's own observations of one agent by name; the history has their means.
        together: Its observations of the whole network by name.
        names: Every agent's name, in agents' order, where somebody gave them; None otherwise.
        losses: Are there losses, so that the history measures M_t? Not in a game.
    """

    oracles: Any
    agents: int
    identities: Int[Array, "agents"]
    upper: Space
    lower: Space
    x0: Vector
    y0: Vector
    observe: dict[str, Observation]
    together: dict[str, Together]
    losses: bool
    names: tuple[str, ...] | None

    def __init__(
        self,
        upper: Loss,
        lower: Loss,
        *,
        upper_data: Tree,
        lower_data: Tree,
        x0: Tree,
        y0: Tree,
        share: Share = "upper",
        batch_size: int | None = None,
        sampling: str = "iid",
        observe: Mapping[str, Observation] | None = None,
        project: Callable[[Tree], Tree] | None = None,
        names: Iterable[Any] | None = None,
    ) -> None:
        """Makes a problem from two losses and every agent's data.

        Args:
            upper: f(x, y, batch) -> scalar; x and y are pytrees like x0 and y0. On all samples of an agent it is called
                once, with all of them: a loss need not be a mean over samples.
            lower: g(x, y, batch) -> scalar, likewise, strongly convex in y.
            upper_data: Pytree, leaves (agents, samples, ...); or a list of one pytree an agent, leaves (samples, ...),
                where agents hold different numbers of samples.
            lower_data: Likewise.
            x0: One agent's starting point; every agent starts there.
            y0: Likewise.
            share: What the network agrees on. "upper": personal lower levels; "lower"; "both"; or leaf by leaf,
                ``{"upper": <prefix pytree of bool>, "lower": ...}``.
            batch_size: Samples a key draws; None: every sample, a deterministic oracle.
            sampling: "iid": each sample alone, with replacement. "blocks": a random contiguous block of data shuffled
                once; as unbiased and faster, but the samples of a batch always come together.
            observe: fn(x, y) -> scalar of one agent, by name; the history has their means over agents.
            project: Projects x onto a convex set after every step.
            names: The agents' names, one each, in the data's order: a network with names is paired by them.

        Raises:
            ValueError: If shapes, counts or types do not fit, the data hold NaN, or a loss is not a scalar.
        """
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling is {sampling!r}; choose one of {', '.join(SAMPLINGS)}.")
        if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer)):
            raise ValueError(f"batch_size is {batch_size!r}; give a whole number of samples, or None for all of them.")
        upper_share, lower_share = _read_share(share)
        upper_rows = _read_data(upper_data, "upper_data")
        lower_rows = _read_data(lower_data, "lower_data")
        if len(upper_rows) != len(lower_rows):
            raise ValueError(
                f"upper_data has {len(upper_rows)} agents and lower_data {len(lower_rows)}; "
                "the first axis of every leaf (or the list) runs over the agents and must be the same in both."
            )
        counts = [[_count(agent) for agent in level] for level in (upper_rows, lower_rows)]
        smallest = min(map(min, counts))
        if batch_size is not None and not 0 < batch_size <= smallest:
            raise ValueError(
                f"batch_size is {batch_size}, but the agent with the fewest samples holds {smallest}; "
                "take a smaller batch, or None for every sample."
            )
        x0, y0 = _floating(x0), _floating(y0)
        spaces = Space.of(x0, upper_share, "upper"), Space.of(y0, lower_share, "lower")
        _check_loss("upper", upper, upper_rows[0], x0, y0)
        _check_loss("lower", lower, lower_rows[0], x0, y0)
        form = Form(
            upper=upper,
            lower=lower,
            upper_space=spaces[0],
            lower_space=spaces[1],
            batch_size=None if batch_size is None else int(batch_size),
            sampling=sampling,
            whole=(
                choose_whole("upper", upper, upper_rows, counts[0], x0, y0),
                choose_whole("lower", lower, lower_rows, counts[1], x0, y0),
            ),
            projection=project,
        )
        repeat = form.batch_size - 1 if form.batch_size and sampling == "blocks" else 0
        upper_stacked = _stack(upper_rows, repeat, "upper_data")
        oracles = AutodiffOracles(
            upper_data=upper_stacked,
            lower_data=upper_stacked if _same(upper_data, lower_data) else _stack(lower_rows, repeat, "lower_data"),
            upper_count=jnp.asarray(counts[0]),
            lower_count=jnp.asarray(counts[1]),
            form=form,
        )
        self._set(oracles, form.upper_space, form.lower_space, x0, y0, observe, names)

    @classmethod
    def from_oracles(
        cls,
        oracles: Any,
        *,
        x0: Tree,
        y0: Tree,
        share: Share = "upper",
        observe: Mapping[str, Observation] | None = None,
        together: Mapping[str, Together] | None = None,
        losses: bool = True,
        names: Iterable[Any] | None = None,
    ) -> "Problem":
        """Makes a problem of oracles that bring their own formulas.

        Args:
            oracles: A pytree with the methods of `hypergossip.algorithm.Oracles`, every leaf with a leading axis
                (agents, ...).
            x0: One agent's starting point; every agent starts there.
            y0: Likewise.
            share: As for `Problem`.
            observe: As for `Problem`.
            together: fn(oracles, x, y) -> scalar by name, of all agents: the oracles' leaves (agents, ...), x (agents,
                p) and y (agents, q).
            losses: False where the oracles belong to no losses on given data, as in a game: M_t is not measured.
            names: As for `Problem`.
        """
        problem = cls.__new__(cls)
        x0, y0 = _floating(x0), _floating(y0)
        upper_share, lower_share = _read_share(share)
        spaces = Space.of(x0, upper_share, "upper"), Space.of(y0, lower_share, "lower")
        problem._set(oracles, *spaces, x0, y0, observe, names)
        problem.together, problem.losses = dict(together or {}), losses
        return problem

    def _set(self, oracles: Any, upper: Space, lower: Space, x0: Tree, y0: Tree, observe: Any, names: Any) -> None:
        self.oracles = oracles
        self.agents = jax.tree.leaves(oracles)[0].shape[0]
        self.names = read_names(names, self.agents)
        self.identities = jnp.arange(self.agents)
        self.upper, self.lower = upper, lower
        self.x0, self.y0 = upper.ravel(x0), lower.ravel(y0)
        self.observe, self.together, self.losses = dict(observe or {}), {}, True
        for name, function in self.observe.items():
            value = jax.eval_shape(lambda x, y, function=function: jnp.asarray(function(x, y)), x0, y0)
            if value.shape != ():
                raise ValueError(
                    f"observe: {name!r} returned shape {value.shape}; an observation of one agent is a scalar."
                )

    @cached_property
    def twice_differentiable(self) -> bool:
        """Can the lower loss be differentiated twice? Where not, it is measured by differences of its gradient."""
        if not isinstance(self.oracles, LossOracles):
            return True  # it brings its own products

        def products(agent: Any, x: Any, y: Any) -> Any:
            key = jax.random.key(0)
            full = agent.full
            return full.hessian_product(x, y, key)(y), full.jacobian_product(x, y, key)(y)

        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.oracles)
        try:
            jax.eval_shape(products, one, self.x0, self.y0)
        except Exception:  # whatever a user's function raises that is differentiated once too often
            return False
        return True

    def agent(self, i: int) -> Oracles:
        """Returns the problem as agent i sees it."""
        return jax.tree.map(lambda leaf: leaf[i], self.oracles)

    def agent_label(self, i: int) -> str:
        """Returns what messages call agent i: "agent 3", or "agent 3 ('Paris')" where agents have names."""
        return agent_label(i, self.names)

    def relabelled(self, order: Sequence[int]) -> "Problem":
        """Returns the same problem with its agents renumbered: new agent k is old agent ``order[k]``."""
        problem = Problem.__new__(Problem)
        problem.__dict__.update(self.__dict__)
        problem.oracles = jax.tree.map(lambda leaf: leaf[jnp.asarray(order)], self.oracles)
        problem.identities = self.identities[jnp.asarray(order)]
        problem.names = self.names and tuple(self.names[old] for old in order)
        return problem

    def __repr__(self) -> str:
        """Names the sizes and what is shared."""
        shared = (
            f"{self.upper.shared_size} of {self.upper.size} upper, {self.lower.shared_size} of {self.lower.size} lower"
        )
        return f"Problem(agents={self.agents}, shared entries: {shared})"


def _read_share(share: Share) -> tuple[Any, Any]:
    if isinstance(share, str) and share in SHARES:
        return SHARES[share]
    if isinstance(share, Mapping) and set(share) <= {"upper", "lower"}:
        return share.get("upper", False), share.get("lower", False)
    raise ValueError(
        f'share is {share!r}; write "upper", "lower", "both", or {{"upper": <bool or pytree of bool>, "lower": ...}}.'
    )


def _floating(tree: Tree) -> Tree:
    """Casts floating leaves to JAX's default floating type, so that one switch decides the precision of everything."""
    default = jnp.result_type(float)

    def cast(leaf: Any) -> Any:
        array = np.asarray(leaf) if not isinstance(leaf, jax.Array) else leaf
        return jnp.asarray(array, default) if jnp.issubdtype(array.dtype, jnp.floating) else jnp.asarray(array)

    return jax.tree.map(cast, tree)


def _read_data(data: Tree, name: str) -> list[Tree]:
    """Returns one pytree of NumPy arrays an agent."""
    if isinstance(data, list):
        agents = [jax.tree.map(np.asarray, agent) for agent in data]
    else:
        stacked = jax.tree.map(np.asarray, data)
        sizes = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(stacked)}
        if len(sizes) != 1:
            raise ValueError(
                f"{name}: the leaves have {sorted(sizes)} agents; every leaf needs the shape (agents, samples, ...)."
            )
        agents = [jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i in range(sizes.pop())]
    if not agents:
        raise ValueError(f"{name}: no agents; give at least one.")
    for i, agent in enumerate(agents):
        for path, leaf in jax.tree_util.tree_leaves_with_path(agent):
            where = f"{name}{jax.tree_util.keystr(path)}, agent {i}"
            if leaf.ndim == 0 or leaf.shape[0] == 0:
                raise ValueError(f"{where}: shape {leaf.shape} has no samples; every agent needs at least one.")
            if np.issubdtype(leaf.dtype, np.floating) and not np.isfinite(leaf).all():
                raise ValueError(f"{where}: the data hold NaN or infinity; remove or impute them first.")
    if len({jax.tree.structure(agent) for agent in agents}) > 1:
        raise ValueError(f"{name}: the agents' pytrees have different structures; give every agent the same keys.")
    for i, agent in enumerate(agents):
        pairs = zip(jax.tree_util.tree_leaves_with_path(agent), jax.tree.leaves(agents[0]), strict=True)
        for (path, leaf), first in pairs:
            if leaf.shape[1:] != first.shape[1:]:
                raise ValueError(
                    f"{name}{jax.tree_util.keystr(path)}: a sample of agent {i} has shape {leaf.shape[1:]}, one of "
                    f"agent 0 {first.shape[1:]}; agents may hold unlike numbers of samples, but not unlike samples."
                )
    return agents


def _count(agent: Tree) -> int:
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(agent)}
    if len(counts) != 1:
        raise ValueError(f"one agent's leaves have {sorted(counts)} samples; features and labels must be equally many.")
    return counts.pop()


def _same(one: Tree, other: Tree) -> bool:
    """Are two levels' data the same arrays, so that one copy will do?"""
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    return all(a is b for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def _stack(agents: list[Tree], repeat: int, name: str) -> Tree:
    """Stacks the agents' data, leaves (agents, rows + repeat, ...), filled up with real rows taken cyclically.

    For sampling by blocks the rows are shuffled once (alike for equal sizes, whatever the agent's place) and the
    first ones repeated behind the last, so that every row begins as many blocks as any other.
    """
    counts = [_count(agent) for agent in agents]
    rows = max(counts)

    def fill(leaf: np.ndarray) -> np.ndarray:
        order = np.random.default_rng(len(leaf)).permutation(len(leaf)) if repeat else np.arange(len(leaf))
        return leaf[order[np.arange(rows + repeat) % len(leaf)]]

    given = sum(leaf.nbytes for agent in agents for leaf in jax.tree.leaves(agent))
    padded = given // sum(counts) * len(agents) * (rows + repeat)
    if padded > LARGE and padded > 4 * given:
        warnings.warn(
            f"{name}: {given / 1e6:.1f} MB are given, and padded to the {rows:,} samples of agent "
            f"{int(np.argmax(counts))} they take {padded / 1e6:,.0f} MB. Divide that agent's samples among several "
            "agents where memory is short.",
            stacklevel=3,
        )
    return _floating(jax.tree.map(lambda *leaves: np.stack([fill(leaf) for leaf in leaves]), *agents))


def _check_loss(name: str, loss: Loss, agent: Tree, x0: Tree, y0: Tree) -> None:
    """Traces a loss on the data of agent 0, and refuses what no later message could explain."""
    default = lambda of: (
        jnp.result_type(float) if jnp.issubdtype(of, jnp.floating) else jax.dtypes.canonicalize_dtype(of)
    )
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, default(leaf.dtype)), (x0, y0, agent))
    try:
        value = jax.eval_shape(loss, *shapes)
    except Exception as error:
        named = zip(("x0", "y0", "batch"), (x0, y0, agent), strict=True)
        given = ", ".join(f"{what} {jax.tree.map(jnp.shape, tree)}" for what, tree in named)
        error.add_note(f"This was the {name} loss on the samples of agent 0; the shapes it was given: {given}.")
        raise
    if not hasattr(value, "shape") or value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        told = f"shape {value.shape} of type {value.dtype}" if hasattr(value, "shape") else f"a {type(value).__name__}"
        raise ValueError(f"the {name} loss returned {told}, not a floating scalar; take the mean over the batch.")
