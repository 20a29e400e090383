"""Plays episodes with the policies in the folder of a run on a game, and draws them."""

from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from hypergossip.figures.episodes import Scene, animation, strip
from hypergossip.figures.formatting import tenths
from hypergossip.figures.grid_frame import GridFrame
from hypergossip.figures.histories import RETURN
from hypergossip.figures.particle_frame import ParticleFrame
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Configuration, read, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.reproduce import CASES, FIGURES, Record
from hypergossip.lab.experiments.stored_methods import stored_result
from hypergossip.lab.report.document import Picture
from hypergossip.problems.actor_critic.navigation import REACH, Navigation
from hypergossip.problems.actor_critic.pursuit import Pursuit
from hypergossip.problems.actor_critic.rollout import Rollout, is_game, rollout
from hypergossip.running.result import POINT
from hypergossip.support.registry import nearest


class Played(NamedTuple):
    """An episode of a run.

    Attributes:
        folder: The folder of the run.
        method: The label of the method that trained the policies.
        seed: The seed of the run that trained them.
        watched: The episode.
        title: A short title.
    """

    folder: Path
    method: str
    seed: int
    watched: Rollout
    title: str


def play(folder: Path, method: str | None, seed: int | None, episode: int) -> Played:
    """Plays a test episode with the final policies of a run.

    Args:
        folder: A folder of ``hypergossip run`` or ``compare``, a case of ``reproduce``, or a reproduction of one case.
        method: The label of the method; None for the first one that has finished.
        seed: The seed of the run; None for its first seed.
        episode: The number of the test episode, from 0.

    Raises:
        ValueError: If the folder has no finished run on a game, or there is no such method, seed or episode.
        CheckpointError: If the result of the method is damaged, or belongs to another configuration.
    """
    folder = _run_of(folder)
    raw, source = read(folder / disk.CONFIGURATION)
    source = source._replace(name=str(folder / disk.CONFIGURATION))  # a message names the folder as well
    configuration = validate(raw, source)
    label = _method(folder, configuration, method)
    first, seeds = configuration.run.seed, configuration.run.seeds
    seed = first if seed is None else seed
    if not first <= seed < first + seeds:
        known = f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}"
        raise ValueError(f"{folder} was run with {known} and not with seed {seed}; give another one with --seed.")
    wanted = configuration.run.precision
    with nullcontext() if wanted is None else jax.enable_x64(wanted == "float64"):
        experiment = build(configuration, source)
        problem = experiment.problem
        if not is_game(problem):
            raise ValueError(
                f"{folder} is a run on the problem {configuration.problem.name}, which is not a game; give the folder "
                "of a run on a game, such as cooperative_navigation or pursuit_evasion."
            )
        result = stored_result(folder / disk.METHODS / label, configuration, experiment, label)
        policies = jax.tree.map(lambda leaf: leaf[seed - first], result.x)
        watched = rollout(problem, policies, episode)
    title = f"{label}: {configuration.run.title}" if configuration.run.title else label
    return Played(folder, label, seed, watched, title)


def scene(watched: Rollout) -> Scene:
    """Returns the scene that is drawn for an episode.

    Args:
        watched: The episode.

    Raises:
        ValueError: If there is no drawing for this game.
    """
    game, states = watched.game, watched.states
    if isinstance(game, Navigation):
        return ParticleFrame(states.position, states.landmarks[0], REACH / 2, watched.returns)
    if isinstance(game, Pursuit):
        x, y = game.grid.obstacle
        wall = (x.start, y.start, len(x), len(y))
        caught = np.asarray(states.caught)
        return GridFrame(game.width, game.height, wall, states.pursuers, states.evaders, caught, watched.returns)
    raise ValueError(
        f"there is no drawing for the game {type(game).__name__}, only for navigation and pursuit; to draw it "
        "yourself, get the states of an episode from hypergossip.problems.actor_critic.rollout.rollout."
    )


def draw(played: Played, path: Path) -> list[Path]:
    """Writes an episode as an animation and as a strip of a few moments.

    Args:
        played: The episode.
        path: The path of the animation, ending in .gif; the strip is written beside it as .png.

    Returns:
        The paths of the animation and of the strip.
    """
    shown, title = scene(played.watched), f"{played.title}, return {tenths(played.watched.returns[-1])}"
    return [animation(shown, path, title), strip(shown, path.with_suffix(".png"), title)]


def pictures(folder: Path, records: list[Record]) -> dict[str, Picture]:
    """Draws one episode of every case of a reproduction that is a game.

    Args:
        folder: The folder of the reproduction.
        records: The records of its cases.

    Returns:
        Name of a case -> the picture of an episode with the policies of its first method.
    """
    found = {}
    for record in records:
        if not any(RETURN in history for history in record.outcome.histories.values()):
            continue
        played = play(folder / CASES / record.case.name, None, None, 0)
        path = f"{FIGURES}/{record.case.name}-played"
        draw(played, folder / f"{path}.gif")
        caption = f"A test episode with the final policies of {played.method} (seed {played.seed})."
        found[record.case.name] = Picture(f"{path}.png", f"{caption} [Animation]({path}.gif).")
    return found


def _run_of(folder: Path) -> Path:
    """Returns the folder of a run: the folder itself, or the only case of a reproduction."""
    if (folder / disk.CONFIGURATION).is_file():
        return folder
    cases = sorted(path.parent for path in folder.glob(f"{CASES}/*/{disk.CONFIGURATION}"))
    if len(cases) == 1:
        return cases[0]
    if cases:
        raise ValueError(f"{folder} has several cases; give the folder of one: {', '.join(map(str, cases))}.")
    raise ValueError(
        f"{folder} is not the folder of a run: it has no {disk.CONFIGURATION}; give the folder of an earlier run."
    )


def _method(folder: Path, configuration: Configuration, wanted: str | None) -> str:
    finished = [label for label in configuration.methods if (folder / disk.METHODS / label / POINT).is_file()]
    if not finished:
        raise ValueError(
            f"{folder} has no finished method; resume the run with 'hypergossip resume {folder}', or give the "
            "folder of a finished run."
        )
    if wanted is None:
        return finished[0]
    if wanted not in finished:
        raise ValueError(f"{folder} has no result of a method {wanted!r}; {nearest(wanted, finished)}")
    return wanted
