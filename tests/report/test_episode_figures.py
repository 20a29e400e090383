"""Animations and strips of episodes: number of frames, duration, size, and content."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

from hypergossip.figures import episodes, grid_frame, particle_frame
from hypergossip.figures.grid_frame import GridFrame
from hypergossip.figures.particle_frame import ParticleFrame

STEPS = 6


def particles():
    """Three discs on lines: the first two collide half-way, the third never moves."""
    along = np.linspace(-0.9, 0.9, STEPS + 1)
    still = np.zeros(STEPS + 1)
    paths = [(along, still), (-along, still), (still, still + 0.9)]
    positions = np.stack([np.stack(path, axis=1) for path in paths], axis=1)
    return ParticleFrame(positions, np.array([[0.9, 0.0], [-0.9, 0.5], [0.0, 0.8]]), 0.15, -np.arange(STEPS + 1.0))


def grid():
    """Two pursuers reach the cell of the first evader in step 3 and catch it."""
    steps = np.arange(STEPS + 1)
    pursuers = np.zeros((STEPS + 1, 2, 2), int)
    pursuers[:, 0, 0] = np.minimum(steps, 3)
    pursuers[:, 1] = np.stack([0 * steps + 3, np.maximum(3 - steps, 0)], axis=1)
    evaders = np.broadcast_to(np.array([[3, 0], [4, 4]]), (STEPS + 1, 2, 2))
    caught = np.stack([steps >= 3, steps < 0], axis=1)
    return GridFrame(5, 5, (2, 2, 1, 1), pursuers, evaders, caught, 0.5 * steps)


def frames(path):
    """Every frame of a GIF as an array, with its duration."""
    with Image.open(path) as image:
        found = []
        for place in range(image.n_frames):
            image.seek(place)
            found.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return found


@pytest.mark.parametrize("scene", [particles(), grid()], ids=["particles", "grid"])
def test_an_animation_shows_every_step_and_pauses_at_the_last(scene, tmp_path):
    path = episodes.animation(scene, tmp_path / "deep" / "episode.gif", "A title")
    shown = frames(path)
    pictures, durations = zip(*shown, strict=True)
    per_step = episodes.FRAMES_PER_STEP
    assert STEPS < len(shown) <= STEPS * per_step + 1  # identical consecutive frames are merged
    assert sum(durations) == STEPS * per_step * episodes.FRAME_TIME + episodes.LAST_FRAME_TIME
    assert durations[-1] >= episodes.LAST_FRAME_TIME
    assert all((one != other).any() for one, other in pairwise(pictures))
    width, height = (particle_frame if isinstance(scene, ParticleFrame) else grid_frame).size(scene)
    rows, columns, _ = pictures[0].shape
    assert columns == int(episodes.SIDE * episodes.DPI)
    assert 0 < rows / columns - height / width < 0.3  # the rest is for the text
    assert path.stat().st_size < 1_000_000


def test_a_long_episode_has_one_frame_a_step(tmp_path):
    steps = episodes.FRAMES // 2 + 1
    still = np.zeros((steps + 1, 1, 2))
    scene = ParticleFrame(still, still[0], 0.15, np.arange(steps + 1.0))
    shown = frames(episodes.animation(scene, tmp_path / "long.gif", ""))
    assert len(shown) == steps + 1  # only the text changes
    assert sum(duration for _, duration in shown) == steps * episodes.STEP_TIME + episodes.LAST_FRAME_TIME


def test_a_strip_has_the_first_moment_and_the_last(tmp_path, sized):
    width, height = sized(episodes.strip(particles(), tmp_path / "strip.png", "A title", moments=4))
    assert width > 3 * height
    with pytest.raises(ValueError, match=r"end in \.png"):
        episodes.strip(particles(), tmp_path / "strip.jpg", "")
    with pytest.raises(ValueError, match=r"end in \.gif"):
        episodes.animation(particles(), tmp_path / "strip.png", "")


def test_collisions_are_marked_and_counted():
    scene, collision = particles(), [(0, 1)]
    assert [particle_frame.colliding(places, 0.15) for places in scene.positions] == [[], [], [], collision, [], [], []]
    assert particle_frame.label(scene, 3) == "step 3 of 6 · return −3.0 · 1 pair touches"
    assert particle_frame.label(scene, 0) == "step 0 of 6 · return 0.0"
    np.testing.assert_allclose(particle_frame.positions_at(scene.positions, 2.5)[0], [-0.15, 0], atol=1e-12)
    np.testing.assert_array_equal(particle_frame.positions_at(scene.positions, float(STEPS)), scene.positions[-1])

    def circles(time, colour):
        axes = Figure().add_subplot()
        particle_frame.draw(axes, scene, time)
        return sum(isinstance(patch, Circle) and patch.get_edgecolor()[:3] == colour for patch in axes.patches)

    red = tuple(int(particle_frame.COLLISION[place : place + 2], 16) / 255 for place in (1, 3, 5))
    assert circles(3.0, red) == 2
    assert circles(0.0, red) == 0


def test_agents_that_share_a_cell_are_offset_and_caught_evaders_disappear():
    scene = grid()
    assert grid_frame.label(scene, 2) == "step 2 of 6 · 0 of 2 caught · return 1.0"
    assert grid_frame.label(scene, 3) == "step 3 of 6 · 1 of 2 caught · return 1.5"
    pursuers, evaders = grid_frame._positions(scene, 4)
    np.testing.assert_allclose(pursuers.mean(axis=0), [3, 0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(pursuers - [3, 0], axis=1), grid_frame.OFFSET)
    np.testing.assert_array_equal(evaders, scene.evaders[4])  # the caught evader no longer shares a cell

    def discs(time):
        axes = Figure().add_subplot()
        grid_frame.draw(axes, scene, time)
        return [len(collection.get_paths()) for collection in axes.collections[-2:]]

    assert discs(2.0) == [2, 2]
    assert discs(3.0) == [1, 2]
