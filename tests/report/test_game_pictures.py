"""Moving pictures and strips: how many frames, how long, how large, and what they show."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

from hypergossip.figures import episodes as games
from hypergossip.figures import grid_frame as boards
from hypergossip.figures import particle_frame as planes
from hypergossip.figures.grid_frame import Board
from hypergossip.figures.particle_frame import Plane

STEPS = 6


def plane():
    """Three discs on lines: the first two meet in the middle of the way, the third never moves."""
    along = np.linspace(-0.9, 0.9, STEPS + 1)
    still = np.zeros(STEPS + 1)
    paths = [(along, still), (-along, still), (still, still + 0.9)]
    positions = np.stack([np.stack(path, axis=1) for path in paths], axis=1)
    return Plane(positions, np.array([[0.9, 0.0], [-0.9, 0.5], [0.0, 0.8]]), 0.15, -np.arange(STEPS + 1.0))


def board():
    """Two pursuers reach the first evader's cell in step 3, and it is caught there."""
    steps = np.arange(STEPS + 1)
    pursuers = np.zeros((STEPS + 1, 2, 2), int)
    pursuers[:, 0, 0] = np.minimum(steps, 3)
    pursuers[:, 1] = np.stack([0 * steps + 3, np.maximum(3 - steps, 0)], axis=1)
    evaders = np.broadcast_to(np.array([[3, 0], [4, 4]]), (STEPS + 1, 2, 2))
    caught = np.stack([steps >= 3, steps < 0], axis=1)
    return Board(5, 5, (2, 2, 1, 1), pursuers, evaders, caught, 0.5 * steps)


def frames(path):
    """Every frame of a GIF as an array, and how long each stays."""
    with Image.open(path) as image:
        found = []
        for place in range(image.n_frames):
            image.seek(place)
            found.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return found


@pytest.mark.parametrize("scene", [plane(), board()], ids=["plane", "board"])
def test_an_animation_shows_every_step_and_stays_at_the_last(scene, tmp_path):
    path = games.animation(scene, tmp_path / "deep" / "episode.gif", "A title")
    shown = frames(path)
    pictures, durations = zip(*shown, strict=True)
    between = games.BETWEEN
    assert STEPS < len(shown) <= STEPS * between + 1  # frames that are alike are one that stays longer
    assert sum(durations) == STEPS * between * games.PACE + games.REST
    assert durations[-1] >= games.REST
    assert all((one != other).any() for one, other in pairwise(pictures))
    width, height = type_module(scene).size(scene)
    rows, columns, _ = pictures[0].shape
    assert columns == int(games.SIDE * games.DOTS)
    assert 0 < rows / columns - height / width < 0.3  # the rest is for the words
    assert path.stat().st_size < 1_000_000


def type_module(scene):
    return planes if isinstance(scene, Plane) else boards


def test_a_long_episode_has_one_frame_a_step(tmp_path):
    steps = games.FRAMES // 2 + 1
    still = np.zeros((steps + 1, 1, 2))
    scene = Plane(still, still[0], 0.15, np.arange(steps + 1.0))
    shown = frames(games.animation(scene, tmp_path / "long.gif", ""))
    assert len(shown) == steps + 1  # nothing moves, but the words do
    assert sum(duration for _, duration in shown) == steps * games.STEP_PACE + games.REST


def test_a_strip_has_the_first_moment_and_the_last(tmp_path, sized):
    width, height = sized(games.strip(plane(), tmp_path / "strip.png", "A title", moments=4))
    assert width > 3 * height
    with pytest.raises(ValueError, match=r"end in \.png"):
        games.strip(plane(), tmp_path / "strip.jpg", "")
    with pytest.raises(ValueError, match=r"end in \.gif"):
        games.animation(plane(), tmp_path / "strip.png", "")


def test_discs_that_touch_are_marked_and_told():
    scene, touch = plane(), [(0, 1)]
    assert [planes.touching(places, 0.15) for places in scene.positions] == [[], [], [], touch, [], [], []]
    assert planes.told(scene, 3) == "step 3 of 6 · return −3.0 · 1 pair touches"
    assert planes.told(scene, 0) == "step 0 of 6 · return 0.0"
    np.testing.assert_allclose(planes.at(scene.positions, 2.5)[0], [-0.15, 0], atol=1e-12)
    np.testing.assert_array_equal(planes.at(scene.positions, float(STEPS)), scene.positions[-1])

    def circles(time, colour):
        axes = Figure().add_subplot()
        planes.draw(axes, scene, time)
        return sum(isinstance(patch, Circle) and patch.get_edgecolor()[:3] == colour for patch in axes.patches)

    red = tuple(int(planes.TOUCH[place : place + 2], 16) / 255 for place in (1, 3, 5))
    assert circles(3.0, red) == 2
    assert circles(0.0, red) == 0


def test_who_shares_a_cell_stands_aside_and_who_is_caught_is_gone():
    scene = board()
    assert boards.told(scene, 2) == "step 2 of 6 · 0 of 2 caught · return 1.0"
    assert boards.told(scene, 3) == "step 3 of 6 · 1 of 2 caught · return 1.5"
    pursuers, evaders = boards._apart(scene, 4)
    np.testing.assert_allclose(pursuers.mean(axis=0), [3, 0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(pursuers - [3, 0], axis=1), boards.ASIDE)
    np.testing.assert_array_equal(evaders, scene.evaders[4])  # the caught one shares no cell any more

    def discs(time):
        axes = Figure().add_subplot()
        boards.draw(axes, scene, time)
        return [len(collection.get_paths()) for collection in axes.collections[-2:]]

    assert discs(2.0) == [2, 2]
    assert discs(3.0) == [1, 2]
