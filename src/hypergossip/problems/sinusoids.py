"""Few-shot regression of sinusoids, a standard task of meta-learning (Finn, Abbeel & Levine 2017, section 5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypergossip.core.problem import Problem, Share
from hypergossip.data.seeding import generator
from hypergossip.problems.adaptation import FORMS, Adaptation, Layers
from hypergossip.problems.representations import layer_sizes
from hypergossip.support.arguments import choice, positive_number, whole_number
from hypergossip.support.renamed import renamed_arguments

AMPLITUDES = (0.1, 5.0)
PHASES = (0.0, np.pi)
INPUTS = (-5.0, 5.0)
INPUT_UNIT, OUTPUT_UNIT = 5.0, 10.0  # the units of a network's input and output
QUERIES = 50  # the number of query shots of a held-out task
HETEROGENEITY = ("amplitude", "phase")
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}
INNER = {"maml": (1, 0.001), "anil": (1, 0.0015), "imaml": (100, 5e-5)}  # the number of inner steps and their size

Shots = dict[str, Any]  # "inputs" and "outputs", (shots, tasks), or (shots,) for one task


class Tasks(NamedTuple):
    """Sinusoids ``amplitude * sin(input - phase)``.

    Attributes:
        amplitude: The amplitudes, (..., tasks).
        phase: The phases in radians, (..., tasks).
    """

    amplitude: np.ndarray
    phase: np.ndarray

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """Returns every task's sinusoid at its `inputs`, (..., shots, tasks)."""
        return self.amplitude[..., None, :] * np.sin(inputs - self.phase[..., None, :])

    def shots(self, random: np.random.Generator, count: int) -> Shots:
        """Returns shots of every task, with leaves (..., shots, tasks) and inputs uniform on `INPUTS`.

        Args:
            random: The generator.
            count: The number of shots of each task.
        """
        *more, tasks = self.amplitude.shape
        inputs = random.uniform(*INPUTS, (*more, count, tasks))
        return {"inputs": inputs, "outputs": self.values(inputs)}


def draw_tasks(random: np.random.Generator, agents: int, tasks: int, heterogeneity: str | None = None) -> Tasks:
    """Draws tasks for every agent, with amplitudes uniform on `AMPLITUDES` and phases uniform on `PHASES`.

    Args:
        random: The generator.
        agents: The number of agents n.
        tasks: The number of tasks per agent.
        heterogeneity: "amplitude" or "phase", which agent i draws from the i-th of n equal parts of the range.

    Returns:
        The tasks, (agents, tasks).
    """

    def draw(name: str, low: float, high: float) -> np.ndarray:
        place = random.uniform(size=(agents, tasks))  # the position within the range, or within the agent's part of it
        if heterogeneity == name:
            place = (np.arange(agents)[:, None] + place) / agents
        return low + (high - low) * place

    return Tasks(draw("amplitude", *AMPLITUDES), draw("phase", *PHASES))


class HeldOut(NamedTuple):
    """Tasks that no agent trains on.

    Attributes:
        tasks: The tasks, (tasks,).
        support: The shots for adaptation, with leaves (shots, tasks).
        query: The shots for evaluation, with leaves (`QUERIES`, tasks).
    """

    tasks: Tasks
    support: Shots
    query: Shots


def held_out(tasks: int = 100, shots: int = 10, seed: int = 0) -> HeldOut:
    """Draws the held-out tasks of `sinusoids` from the whole family of tasks, also if the agents hold parts of it.

    Args:
        tasks: The number of tasks.
        shots: The number K of support shots of each task.
        seed: The seed of the problem.
    """
    random = generator(seed, 1)
    drawn = Tasks(*(leaf[0] for leaf in draw_tasks(random, 1, tasks)))
    return HeldOut(drawn, drawn.shots(random, shots), drawn.shots(random, QUERIES))


@dataclass(frozen=True)
class Network:
    """A network with one input and one output; its layers hold "weights" and "bias".

    Its inputs are in units of `INPUT_UNIT` and its outputs in units of `OUTPUT_UNIT`. A larger output unit requires
    smaller displacements, along which the error is closer to quadratic. With an output unit of 1, "imaml" would be far
    from convex.

    Attributes:
        activation: A name in `ACTIVATIONS`.
    """

    activation: str

    def initial(self, random: np.random.Generator, widths: Sequence[int]) -> Layers:
        """Returns the initial weights and biases, uniform on -+ 1 / sqrt(inputs of the layer).

        The first weights are multiplied by the input unit, because inputs are divided by it. The first biases
        distribute the units' transitions over the inputs.

        Args:
            random: The generator.
            widths: The widths of the hidden layers.
        """
        layers = []
        for inputs, outputs in pairwise((1, *widths, 1)):
            uniform = lambda *shape, inputs=inputs: random.uniform(-1, 1, shape) / np.sqrt(inputs)
            layers.append({"weights": uniform(inputs, outputs), "bias": uniform(outputs)})
        layers[0]["weights"] *= INPUT_UNIT
        return layers

    def predict(self, parameters: Layers, inputs: Float[Array, "shots"]) -> Float[Array, "shots"]:
        """Returns the outputs at `inputs` with these `parameters`."""
        values = inputs[:, None] / INPUT_UNIT
        for layer in parameters[:-1]:
            values = ACTIVATIONS[self.activation](values @ layer["weights"] + layer["bias"])
        return OUTPUT_UNIT * (values @ parameters[-1]["weights"] + parameters[-1]["bias"])[:, 0]

    def error(self, parameters: Layers, shots: Shots) -> Float[Array, ""]:
        """Returns the mean squared error on the `shots` of one task with these `parameters`."""
        return jnp.mean((self.predict(parameters, shots["inputs"]) - shots["outputs"]) ** 2)


def adaptation(
    form: str = "maml",
    *,
    activation: str = "tanh",
    inner_steps: int | None = None,
    inner_step: float | int | None = None,
    proximity: float | int = 400.0,
) -> Adaptation:
    """Returns the adaptation of the network of `sinusoids` with these options, which have the same meaning there.

    Args:
        form: "maml", "anil" or "imaml".
        activation: The activation of the network.
        inner_steps: T.
        inner_step: a.
        proximity: lambda.

    Raises:
        ValueError: If a name is unknown or a number is invalid.
    """
    for name, value, choices in (("form", form, FORMS), ("activation", activation, ACTIVATIONS)):
        choice(name, value, choices)
    steps, step = INNER[form]
    steps, step = steps if inner_steps is None else inner_steps, step if inner_step is None else inner_step
    steps = whole_number("inner_steps", steps, 1)
    step = positive_number("inner_step", step, "give a positive number, such as 0.001")
    proximity = positive_number("proximity", proximity, "give a positive number, such as 400")
    return _adaptation(form, activation, steps, step, proximity)


# Cached because methods are equal only if their objects are identical, and compiled rounds are found by the losses.
@cache
def _adaptation(form: str, activation: str, steps: int, step: float, proximity: float) -> Adaptation:
    return Adaptation(form, Network(activation).error, steps, step, proximity)


@renamed_arguments(unlike="heterogeneity")
def sinusoids(
    agents: int,
    *,
    form: str = "maml",
    tasks: int = 20,
    shots: int = 10,
    widths: Sequence[int] = (40, 40),
    activation: str = "tanh",
    inner_steps: int | None = None,
    inner_step: float | int | None = None,
    proximity: float | int = 400.0,
    heterogeneity: str | None = None,
    batch_size: int | None = None,
    held_out_tasks: int = 100,
    share: Share = "upper",
    seed: int = 0,
) -> Problem:
    """Few-shot regression of sinusoids: a shared network adapts to each of them, by MAML, ANIL or iMAML.

    x is a small network that all agents share. y holds one displacement from x for every task of an agent, and starts
    at 0. f_i is the mean query error of the displaced networks. g_i is a sum over the tasks whose minimiser is the
    adaptation:

    - "maml": all layers take T gradient steps of size a on the support error. The first T - 1 are inside g, and the
      last is its minimiser, so ``f(x, y*(x))`` is exactly MAML's loss. g is quadratic in y with curvature 1/a, so
      `Neumann` with one term and lipschitz = 1/a is exact, and so is `DifMAML` with lower_step = a.
    - "anil": the same with the last layer only.
    - "imaml": all layers minimise ``support error + lambda/2 |displacement|^2``. It is strongly convex only if lambda
      exceeds the network's negative curvature (50 to 300 at the start of the default network, depending on the seed).
      Its largest curvature is lambda plus the network's positive curvature, which grows tenfold and more during
      training, so lower steps must be small.

    The history gains adapted_error and unadapted_error, the mean squared errors of x with and without adaptation on
    held-out tasks of the whole family (`held_out`). A sample is one shot of every task of an agent.

    Args:
        agents: The number of agents n.
        form: "maml", "anil" or "imaml".
        tasks: The number of tasks of every agent, which are fixed.
        shots: The number K of support shots of each task, and of query shots.
        widths: The widths of the hidden layers.
        activation: "tanh" or "relu".
        inner_steps: T; None uses 1. For "imaml" it is the number of accelerated steps that adapt to a held-out task,
            and None uses 100.
        inner_step: The size a of these steps; None uses 0.001, for "anil" 0.0015 and for "imaml" 5e-5.
        proximity: lambda of "imaml".
        heterogeneity: "amplitude" or "phase", which agent i draws from the i-th of n equal parts of the range. With
            None, all agents draw from the whole range.
        batch_size: The number of shots that a key draws. None uses all shots, which gives a deterministic oracle.
        held_out_tasks: The number of held-out tasks.
        share: As for `hypergossip.Problem`; a list of bool shares layer by layer.
        seed: The seed of the tasks, the shots and the initial network.

    Raises:
        ValueError: If a name is unknown or a number is invalid.
    """
    adapting = adaptation(
        form, activation=activation, inner_steps=inner_steps, inner_step=inner_step, proximity=proximity
    )
    if heterogeneity is not None and heterogeneity not in HETEROGENEITY:
        raise ValueError(
            f"heterogeneity is {heterogeneity!r}; choose one of {', '.join(HETEROGENEITY)}, or None for "
            "homogeneous agents."
        )
    agents, tasks = whole_number("agents", agents, 1), whole_number("tasks", tasks, 1)
    shots, held_out_tasks = whole_number("shots", shots, 1), whole_number("held_out_tasks", held_out_tasks, 1)

    random = generator(seed)
    owned = draw_tasks(random, agents, tasks, heterogeneity)
    support, query = owned.shots(random, shots), owned.shots(random, shots)
    x0 = Network(activation).initial(random, layer_sizes("widths", widths))
    _, new_support, new_query = held_out(held_out_tasks, shots, seed)

    def like(shots: Shots, x: Layers) -> Shots:
        return {name: jnp.asarray(leaf, x[0]["bias"].dtype) for name, leaf in shots.items()}

    def adapted_error(x: Layers, y: Layers) -> Float[Array, ""]:
        displacements = jax.vmap(adapting.adapt, (None, 1))(x, like(new_support, x))
        return adapting.upper_loss(x, displacements, like(new_query, x))

    def unadapted_error(x: Layers, y: Layers) -> Float[Array, ""]:
        return adapting.error(x, jax.tree.map(jnp.ravel, like(new_query, x)))

    return Problem(
        adapting.upper_loss,
        adapting.lower_loss,
        upper_data=query,
        lower_data=support,
        x0=x0,
        y0=jax.tree.map(lambda leaf: np.zeros((tasks, *leaf.shape)), x0[-1:] if form == "anil" else x0),
        share=share,
        batch_size=batch_size,
        observe={"adapted_error": adapted_error, "unadapted_error": unadapted_error},
    )
