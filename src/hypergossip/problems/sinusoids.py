"""Regression of sinusoids from a few shots each, the first task of meta-learning (Finn, Abbeel & Levine 2017, 5.1)."""

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
from hypergossip.support.renamed import renamed_arguments

AMPLITUDES = (0.1, 5.0)
PHASES = (0.0, np.pi)
INPUTS = (-5.0, 5.0)
INPUT_UNIT, OUTPUT_UNIT = 5.0, 10.0  # of a network's input and output
QUERIES = 50  # of a held-out task
HETEROGENEITY = ("amplitude", "phase")
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}
INNER = {"maml": (1, 0.001), "anil": (1, 0.0015), "imaml": (100, 5e-5)}  # inner steps and their size

Shots = dict[str, Any]  # "inputs" and "outputs", (shots, tasks) or of one task (shots,)


class Tasks(NamedTuple):
    """Sinusoids ``amplitude * sin(input - phase)``.

    Attributes:
        amplitude: (..., tasks).
        phase: Likewise, in radians.
    """

    amplitude: np.ndarray
    phase: np.ndarray

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """Returns every task's sinusoid at its `inputs`, (..., shots, tasks)."""
        return self.amplitude[..., None, :] * np.sin(inputs - self.phase[..., None, :])

    def shots(self, random: np.random.Generator, count: int) -> Shots:
        """Returns so many shots of every task, leaves (..., shots, tasks), their inputs uniform on `INPUTS`.

        Args:
            random: The generator.
            count: Shots of each.
        """
        *more, tasks = self.amplitude.shape
        inputs = random.uniform(*INPUTS, (*more, count, tasks))
        return {"inputs": inputs, "outputs": self.values(inputs)}


def draw_tasks(random: np.random.Generator, agents: int, tasks: int, heterogeneity: str | None = None) -> Tasks:
    """Draws tasks for every agent, amplitudes uniform on `AMPLITUDES` and phases on `PHASES`.

    Args:
        random: The generator.
        agents: n.
        tasks: How many an agent.
        heterogeneity: "amplitude" or "phase": agent i draws it from the i-th of n equal parts of its range.

    Returns:
        The tasks, (agents, tasks).
    """

    def draw(name: str, low: float, high: float) -> np.ndarray:
        place = random.uniform(size=(agents, tasks))  # within the range, or the agent's part of it
        if heterogeneity == name:
            place = (np.arange(agents)[:, None] + place) / agents
        return low + (high - low) * place

    return Tasks(draw("amplitude", *AMPLITUDES), draw("phase", *PHASES))


class HeldOut(NamedTuple):
    """Tasks that nobody trains on.

    Attributes:
        tasks: (tasks,).
        support: The shots to adapt on, leaves (shots, tasks).
        query: The shots to be judged on, leaves (`QUERIES`, tasks).
    """

    tasks: Tasks
    support: Shots
    query: Shots


def held_out(tasks: int = 100, shots: int = 10, seed: int = 0) -> HeldOut:
    """Draws the held-out tasks of `sinusoids`: of the whole family, whatever part of it the agents hold.

    Args:
        tasks: How many.
        shots: K, of the support of each.
        seed: The problem's.
    """
    random = generator(seed, 1)
    drawn = Tasks(*(leaf[0] for leaf in draw_tasks(random, 1, tasks)))
    return HeldOut(drawn, drawn.shots(random, shots), drawn.shots(random, QUERIES))


@dataclass(frozen=True)
class Network:
    """A network of one input and one output; its layers hold "weights" and "bias".

    It sees inputs in units of `INPUT_UNIT` and answers in units of `OUTPUT_UNIT`. The larger the latter, the smaller
    the displacement that a task asks for, and the more nearly quadratic the error along it: in the sinusoids' own units
    "imaml" would be far from convex.

    Attributes:
        activation: A name in `ACTIVATIONS`.
    """

    activation: str

    def initial(self, random: np.random.Generator, widths: Sequence[int]) -> Layers:
        """Returns where training starts: uniform on -+ 1 / sqrt(inputs of the layer), weights and biases.

        The first weights are as many times larger as the inputs are smaller for their unit; the first biases spread
        the slopes over the inputs.

        Args:
            random: The generator.
            widths: Of the hidden layers.
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


# Cached: methods are equal only where their objects are one, and compiled rounds are kept by a problem's losses.
@cache
def adaptation(
    form: str = "maml",
    *,
    activation: str = "tanh",
    inner_steps: int | None = None,
    inner_step: float | int | None = None,
    proximity: float | int = 400.0,
) -> Adaptation:
    """Returns how the network of `sinusoids` with these options adapts to a task.

    Args:
        form: As for `sinusoids`, like all others.
        activation: Of the network.
        inner_steps: T.
        inner_step: a.
        proximity: lambda.

    Raises:
        ValueError: If a name is unknown or a number makes no sense.
    """
    for name, value, choices in (("form", form, FORMS), ("activation", activation, ACTIVATIONS)):
        if value not in choices:
            raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
    steps, step = INNER[form]
    steps, step = steps if inner_steps is None else inner_steps, step if inner_step is None else inner_step
    if steps < 1 or not (step > 0 and proximity > 0):
        raise ValueError(
            f"inner_steps is {steps}, inner_step {step} and proximity {proximity}; "
            "take at least one step, and positive numbers for the others."
        )
    return Adaptation(form, Network(activation).error, steps, float(step), float(proximity))


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
    """Regression of sinusoids from a few shots each: one network that adapts to any of them, as MAML, ANIL or iMAML.

    x is a small network, shared by all; y holds one displacement from x for every task of an agent, and starts at 0.
    f_i is the mean query error of the displaced networks, g_i a sum over the tasks whose minimiser is the adaptation:

    - "maml": all layers, T gradient steps of size a on the support error. The first T - 1 are inside g, the last is its
      minimiser, so ``f(x, y*(x))`` is MAML's loss to the letter. g is quadratic in y with curvature 1/a: `Neumann` with
      one term and lipschitz = 1/a is exact, and so is `DifMAML` with lower_step = a.
    - "anil": the same with the last layer alone.
    - "imaml": all layers, ``support error + lambda/2 |displacement|^2``. Strongly convex only where lambda is above the
      network's negative curvature (50 to 300 at the start of the default network, by the seed), and as steep as lambda
      plus its positive curvature, which grows as it learns, tenfold and more: lower steps have to be small.

    The history gains adapted_error and unadapted_error: the mean squared errors of x with and without adaptation on
    held-out tasks of the whole family (`held_out`). A sample is one shot of every task of an agent.

    Args:
        agents: n.
        form: "maml", "anil" or "imaml".
        tasks: How many every agent holds; they stay the same.
        shots: K, inputs of each task to adapt on, and as many for the query.
        widths: Of the hidden layers.
        activation: "tanh" or "relu".
        inner_steps: T; None: 1. For "imaml" only the accelerated steps that adapt to a held-out task; None: 100.
        inner_step: a, their size; None: 0.001, for "anil" 0.0015 and for "imaml" 5e-5.
        proximity: lambda of "imaml".
        heterogeneity: Agent i draws "amplitude" or "phase" from the i-th of n equal parts of its range; None: from all
            of it.
        batch_size: Shots a key draws; None: every one, a deterministic oracle.
        held_out_tasks: How many tasks are held out.
        share: As for `hypergossip.Problem`; a list of bool shares layer by layer.
        seed: Of the tasks, the shots and the initial network.

    Raises:
        ValueError: If a name is unknown or a number makes no sense.
    """
    adapting = adaptation(
        form, activation=activation, inner_steps=inner_steps, inner_step=inner_step, proximity=proximity
    )
    if heterogeneity is not None and heterogeneity not in HETEROGENEITY:
        raise ValueError(
            f"heterogeneity is {heterogeneity!r}; choose one of {', '.join(HETEROGENEITY)}, or None for "
            "homogeneous agents."
        )
    least = min(agents, tasks, shots, held_out_tasks)
    if least < 1:
        raise ValueError(f"agents, tasks, shots and held_out_tasks must all be at least 1; one of them is {least}.")

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
