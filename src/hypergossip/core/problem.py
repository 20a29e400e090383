"""A decentralized bilevel problem: every agent's losses and data, the starting point, and what the network shares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from hypergossip.core.agent_data.axis import number_of_agents, take_agents
from hypergossip.core.agent_data.loading import AgentsData, Load, agent_here, read_all, read_own
from hypergossip.core.agent_data.reading import read_start
from hypergossip.core.agent_data.whole_data import Loss, check_loss
from hypergossip.core.algorithm import LossOracles, Oracles, Vector
from hypergossip.core.oracles import Form, check_sampling
from hypergossip.core.space import Share, Space, read_share
from hypergossip.support.agent_names import agent_label, read_names
from hypergossip.support.arguments import whole_number
from hypergossip.support.callables import check_function, check_functions, own_function
from hypergossip.support.devices import refuse_several_processes

Tree = Any
Observation = Callable[[Tree, Tree], Any]
Together = Callable[[Any, Any, Any], Any]


class Problem:
    """``min_x 1/n sum_i f_i(x_i, y*(x))`` over a network, where ``y*`` solves the lower level.

    Attributes:
        oracles: Every agent's oracles, one pytree whose leaves have a leading axis (agents, ...); or `PackedOracles`
            if agents hold very different numbers of samples.
        agents: The number of agents n.
        identities: (agents,) each agent's permanent identity, which determines its random numbers.
        upper: The space of x: p entries, and which of them the network shares.
        lower: The space of y: q entries, likewise.
        x0: (p,) the starting point of every agent.
        y0: (q,) likewise.
        observe: The problem's observations of one agent by name; the history contains their means.
        together: Its observations of the whole network by name.
        names: The names of the agents, in order, if they were given; None otherwise.
        losses: Whether there are losses, so that the history measures M_t. A game has none.
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
            upper: f(x, y, batch) -> scalar; x and y are pytrees like x0 and y0. For an agent's full data it is called
                once, with all samples, so a loss need not be a mean over samples.
            lower: g(x, y, batch) -> scalar, likewise, strongly convex in y.
            upper_data: A pytree, leaves (agents, samples, ...); or a list with one pytree for each agent, leaves
                (samples, ...), if agents hold different numbers of samples. A tuple is a pytree, such as (support,
                query).
            lower_data: Likewise.
            x0: One agent's starting point; every agent starts there.
            y0: Likewise.
            share: What the network agrees on: "upper" (personal lower levels), "lower", "both", or leaf by leaf,
                ``{"upper": <prefix pytree of bool>, "lower": ...}``.
            batch_size: The number of samples that a key draws; None: every sample, which gives a deterministic oracle.
            sampling: "iid": each sample is drawn independently, with replacement. "blocks": a random contiguous block
                of data shuffled once; also unbiased, and faster, but the samples of a batch always occur together.
            observe: fn(x, y) -> scalar of one agent, by name; the history contains the means over the agents.
            project: Projects x onto a convex set after every step.
            names: The agents' names, one for each, in the order of the data. A network with names is paired by name.

        Raises:
            ValueError: If shapes, counts or types do not fit, the data hold NaN, or a loss is not a scalar.
        """
        data = read_all(upper_data, lower_data)
        self._make(upper, lower, data, x0, y0, share, batch_size, sampling, observe, project, names)

    @classmethod
    def from_agents(
        cls,
        upper: Loss,
        lower: Loss,
        *,
        n: int,
        load: Load,
        x0: Tree,
        y0: Tree,
        share: Share = "upper",
        batch_size: int | None = None,
        sampling: str = "iid",
        observe: Mapping[str, Observation] | None = None,
        project: Callable[[Tree], Tree] | None = None,
        names: Iterable[Any] | None = None,
    ) -> "Problem":
        """Makes a problem whose data are loaded agent by agent, each in the process of that agent.

        A single process loads all agents. With several processes of `jax.distributed`, each process loads only its own
        agents, which are those that `Sharded` runs there, and no process ever holds all data. All processes must make
        the same problem.

        Args:
            upper: As for `Problem`.
            lower: Likewise.
            n: The number of agents.
            load: The agent's number, counted from 0 -> (upper_data, lower_data), pytrees with leaves (samples, ...).
                The agents may differ only in their numbers of samples. If both levels are the same arrays, one copy is
                held. Arrays that are mapped from files (`numpy.load(..., mmap_mode="r")`) are read once.
            x0: As for `Problem`.
            y0: Likewise.
            share: Likewise.
            batch_size: Likewise.
            sampling: Likewise.
            observe: Likewise.
            project: Likewise.
            names: Likewise.

        Raises:
            ValueError: As for `Problem`; if `load` does not return a pair; or if the agents cannot be divided evenly
                over several processes.
            RuntimeError: If loading failed in another process.
        """
        if not callable(load):
            raise ValueError(f"load is {load!r}; give a function: agent's number -> (upper_data, lower_data).")
        data = read_own(whole_number("n", n, 1), load)
        all_names = read_names(names, n)
        own = all_names and [all_names[i] for i in data.numbers]
        problem = cls.__new__(cls)
        problem._make(upper, lower, data, x0, y0, share, batch_size, sampling, observe, project, own)
        problem.identities = jnp.asarray(data.numbers)
        return problem

    def _make(
        self,
        upper: Loss,
        lower: Loss,
        data: AgentsData,
        x0: Tree,
        y0: Tree,
        share: Share,
        batch_size: int | None,
        sampling: str,
        observe: Any,
        project: Any,
        names: Any,
    ) -> None:
        for name, function in (("upper", upper), ("lower", lower)):
            check_function(function, name, ("x", "y", "batch"))
        if project is not None:
            check_function(project, "project", ("x",))
        check_sampling(batch_size, sampling, int(data.counts.min()))
        x0, y0 = read_start(x0, "x0"), read_start(y0, "y0")
        upper_share, lower_share = read_share(share)
        spaces = Space.of(x0, upper_share, "upper"), Space.of(y0, lower_share, "lower")
        upper, lower = map(own_function, (upper, lower))
        losses = (("upper", upper), ("lower", lower))
        python = [check_loss(*losses[k], data.levels[k][0], x0, y0) for k in (0, 1)]
        form = Form(
            upper=upper,
            lower=lower,
            upper_space=spaces[0],
            lower_space=spaces[1],
            batch_size=None if batch_size is None else int(batch_size),
            sampling=sampling,
            whole=(data.whole(0, upper, x0, y0, python[0]), data.whole(1, lower, x0, y0, python[1])),
            projection=project,
            calls_python=any(python),
        )
        self._set(data.hold(form), form.upper_space, form.lower_space, x0, y0, observe, names)

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
        """Makes a problem from oracles with their own formulas.

        Args:
            oracles: A pytree with the methods of `hypergossip.core.algorithm.Oracles`, every leaf with a leading axis
                (agents, ...).
            x0: One agent's starting point; every agent starts there.
            y0: Likewise.
            share: As for `Problem`.
            observe: As for `Problem`.
            together: fn(oracles, x, y) -> scalar by name, a function of all agents: the leaves of the oracles have
                shape (agents, ...), x (agents, p) and y (agents, q).
            losses: False if the oracles do not belong to losses on fixed data, as in a game: M_t is not measured.
            names: As for `Problem`.
        """
        problem = cls.__new__(cls)
        x0, y0 = read_start(x0, "x0"), read_start(y0, "y0")
        upper_share, lower_share = read_share(share)
        spaces = Space.of(x0, upper_share, "upper"), Space.of(y0, lower_share, "lower")
        problem._set(oracles, *spaces, x0, y0, observe, names)
        check_functions(together, "together", ("oracles", "x", "y"))
        problem.together, problem.losses = dict(together or {}), losses
        return problem

    def _set(self, oracles: Any, upper: Space, lower: Space, x0: Tree, y0: Tree, observe: Any, names: Any) -> None:
        check_functions(observe, "observe", ("x", "y"))
        self.oracles = oracles
        self.agents = number_of_agents(oracles)
        texts = map(str, read_names(names, self.agents) or ())
        self.names = tuple(texts) or None
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
        """Whether the lower loss can be differentiated twice. If not, it is measured by differences of its gradient."""
        if not isinstance(self.oracles, LossOracles):
            return True  # it has its own products

        def products(agent: Any, x: Any, y: Any) -> Any:
            key = jax.random.key(0)
            full = agent.full
            return full.hessian_product(x, y, key)(y), full.jacobian_product(x, y, key)(y)

        try:
            jax.eval_shape(products, self.agent_shapes(), self.x0, self.y0)
        except Exception:  # a user's function that is differentiated too often may raise any exception
            return False
        return True

    def agent(self, i: int) -> Oracles:
        """Returns the problem as agent i sees it."""
        return agent_here(self.oracles, i)

    def agent_shapes(self) -> Any:
        """Returns the shapes and types of the arrays of one agent."""
        return jax.eval_shape(lambda oracles: take_agents(oracles, 0), self.oracles)

    def agent_label(self, i: int) -> str:
        """Returns the label of agent i in messages: "agent 3", or "agent 3 ('Paris')" if agents have names."""
        return agent_label(i, self.names)

    def relabelled(self, order: Sequence[int]) -> "Problem":
        """Returns the same problem with its agents renumbered: new agent k is old agent ``order[k]``."""
        refuse_several_processes(self.oracles, "relabelled", "renumber the agents in load")
        problem = Problem.__new__(Problem)
        problem.__dict__.update(self.__dict__)
        problem.oracles = take_agents(self.oracles, jnp.asarray(order))
        problem.identities = self.identities[jnp.asarray(order)]
        problem.names = self.names and tuple(self.names[old] for old in order)
        return problem

    def __repr__(self) -> str:
        """Shows the sizes and the number of shared entries."""
        shared = (
            f"{self.upper.shared_size} of {self.upper.size} upper, {self.lower.shared_size} of {self.lower.size} lower"
        )
        return f"Problem(agents={self.agents}, shared entries: {shared})"
