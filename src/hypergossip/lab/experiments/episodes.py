"""From the folder of a run on a game to one of its episodes, and to what is drawn of it."""

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
from hypergossip.lab.report.document import Picture
from hypergossip.problems.actor_critic.navigation import REACH, Navigation
from hypergossip.problems.actor_critic.pursuit import Pursuit
from hypergossip.problems.actor_critic.rollout import Rollout, is_game, rollout
from hypergossip.running.result import POINT, load
from hypergossip.support.registry import nearest


class Played(NamedTuple):
    """An episode of a run.

    Attributes:
        folder: Of the run.
        method: Whose policies played.
        seed: Of the run that trained them.
        watched: The episode.
        title: In a few words.
    """

    folder: Path
    method: str
    seed: int
    watched: Rollout
    title: str


def play(folder: Path, method: str | None, seed: int | None, episode: int) -> Played:
    """Plays a test episode with the policies that a run ended with.

    Args:
        folder: Of ``hypergossip run`` or ``compare``, or a case of ``reproduce``; a reproduction of one case, too.
        method: Its label; the first one that ended if absent.
        seed: Of the run; its first if absent.
        episode: Which test episode, from 0.

    Raises:
        ValueError: If the folder holds no ended run of a game, or there is no such method, seed or episode.
        CheckpointError: If the method's result is damaged.
    """
    folder = _run_of(folder)
    raw, source = read(folder / disk.CONFIGURATION)
    configuration = validate(raw, source)
    label = _method(folder, configuration, method)
    first, seeds = configuration.run.seed, configuration.run.seeds
    seed = first if seed is None else seed
    if not first <= seed < first + seeds:
        known = f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}"
        raise ValueError(f"{folder} was run with {known}, and not with {seed}; give one of these by --seed.")
    wanted = configuration.run.precision
    with nullcontext() if wanted is None else jax.enable_x64(wanted == "float64"):
        problem = build(configuration, source).problem
        if not is_game(problem):
            raise ValueError(
                f"{folder} is of the problem {configuration.problem.name}, which is no game; give the folder of a run "
                "on one, such as cooperative_navigation or pursuit_evasion."
            )
        result = load(folder / disk.METHODS / label)
        policies = jax.tree.map(lambda leaf: leaf[seed - first], result.x)
        watched = rollout(problem, policies, episode)
    title = f"{label}: {configuration.run.title}" if configuration.run.title else label
    return Played(folder, label, seed, watched, title)


def scene(watched: Rollout) -> Scene:
    """Returns what is drawn of an episode.

    Args:
        watched: The episode.

    Raises:
        ValueError: If nobody has said how this game looks.
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
        f"there is no drawing of the game {type(game).__name__}; navigation and pursuit have one. The states of an "
        "episode are what hypergossip.problems.actor_critic.rollout.rollout returns."
    )


def draw(played: Played, path: Path) -> list[Path]:
    """Writes an episode as a moving picture and as a strip of a few moments.

    Args:
        played: The episode.
        path: Of the moving picture, ending in .gif; the strip lies beside it as .png.

    Returns:
        Both paths.
    """
    shown, title = scene(played.watched), f"{played.title}, return {tenths(played.watched.returns[-1])}"
    return [animation(shown, path, title), strip(shown, path.with_suffix(".png"), title)]


def pictures(folder: Path, records: list[Record]) -> dict[str, Picture]:
    """Draws one episode of every case of a reproduction that is of a game.

    Args:
        folder: Of the reproduction.
        records: Its cases.

    Returns:
        Name of a case -> what the report shows of its first method's policies.
    """
    found = {}
    for record in records:
        if not any(RETURN in history for history in record.outcome.histories.values()):
            continue
        played = play(folder / CASES / record.case.name, None, None, 0)
        path = f"{FIGURES}/{record.case.name}-played"
        draw(played, folder / f"{path}.gif")
        caption = (
            f"A test episode, played by the policies that {played.method} ended with (seed {played.seed}). "
            f"[As a moving picture]({path}.gif)."
        )
        found[record.case.name] = Picture(f"{path}.png", caption)
    return found


def _run_of(folder: Path) -> Path:
    """The folder of a run: itself, or the only case of a reproduction."""
    if (folder / disk.CONFIGURATION).is_file():
        return folder
    cases = sorted(path.parent for path in folder.glob(f"{CASES}/*/{disk.CONFIGURATION}"))
    if len(cases) == 1:
        return cases[0]
    if cases:
        raise ValueError(f"{folder} holds several cases; give one of {', '.join(map(str, cases))}.")
    raise ValueError(f"{folder} holds no run: it has no {disk.CONFIGURATION}; give the folder of an earlier run.")


def _method(folder: Path, configuration: Configuration, wanted: str | None) -> str:
    ended = [label for label in configuration.methods if (folder / disk.METHODS / label / POINT).is_file()]
    if not ended:
        raise ValueError(
            f"{folder} has no result of a method; go on with it by 'hypergossip resume {folder}', or give the folder "
            "of a run that has ended."
        )
    if wanted is None:
        return ended[0]
    if wanted not in ended:
        raise ValueError(f"{folder} has no result of a method {wanted!r}; {nearest(wanted, ended)}")
    return wanted
