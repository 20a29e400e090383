"""What the comparisons with public code stand on: pinned commits of git folders, and recorded blocks."""

import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from studies.replayed import Recorder, states
from studies.repositories import Repository, checked_out

import hypergossip as hg


def committed(folder, text):
    """Commits one file, and returns the commit."""
    (folder / "solver.py").write_text(text)
    names = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    for arguments in (["add", "."], [*names, "commit", "--quiet", "--no-gpg-sign", "--message", text]):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def test_the_pinned_commit_is_taken_from_a_clone_and_from_a_bare_folder(tmp_path, capsys):
    clone, bare = tmp_path / "clone", tmp_path / "bare"
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    pinned, _ = committed(clone, "pinned"), committed(clone, "later")
    subprocess.run(["git", "clone", "--quiet", "--bare", clone, bare], check=True)
    for number, source in enumerate((clone, bare)):
        place = tmp_path / str(number)
        place.mkdir()
        assert (checked_out(Repository("owner/name", pinned), source, place) / "solver.py").read_text() == "pinned"
    for source, commit in ((clone, "0" * 40), (tmp_path, pinned)):
        with pytest.raises(SystemExit, match="2"):
            checked_out(Repository("owner/name", commit), source, tmp_path)
    said = capsys.readouterr().out
    assert said.count("nothing was compared: ") == 2
    assert f"has no commit {'0' * 40} of owner/name" in said


@pytest.mark.parametrize("shared", [False, True])
def test_the_recorded_blocks_give_the_points_of_the_method(shared):
    c = np.random.default_rng(0).standard_normal((4, 3))  # one row for each block

    def upper(x, y, block):
        return jnp.sum((y - c[block]) ** 2) / 2 + jnp.sum(x**2) / 2

    def lower(x, y, block):
        return jnp.sum((2 + jnp.asarray(c)[block]) ** 2 * y**2) / 2 - y @ x

    with jax.disable_jit():
        agent = Recorder(upper, lower, 4, shared)
        found = states(hg.TTSA(0.1, 0.2, hg.Neumann(3, 20.0)), agent, jnp.ones(3), jnp.zeros(3), 4)
    x, y = np.ones(3), np.zeros(3)
    for drawn, state in zip(agent.rounds, found):
        H = lambda block: (2 + c[block]) ** 2
        y = y - 0.2 * (H(*drawn.gradients) * y - x)
        z = 3 / 20 * (y - c[drawn.upper[0]])
        for block in drawn.hessians:
            z = z - H(block) * z / 20
        x = x - 0.1 * (x + z)  # d2xy g is minus the identity
        np.testing.assert_allclose(state.x, x, rtol=1e-5)
        np.testing.assert_allclose(state.y, y, rtol=1e-5)
        assert not shared or drawn.jacobians == drawn.gradients
