"""A checkpoint is whole or it is the one before; what is damaged or of another run is refused and left alone."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.running import loop
from hypergossip.running import snapshot as checkpoint
from hypergossip.running import solve as solver
from hypergossip.running.run import begin
from hypergossip.running.snapshot import FILE, Snapshot
from small_problems import ALGORITHM
from small_problems import RING as NETWORK


def saved(round=7):
    rows = {"round": np.array([[0], [round]]), "metric": np.array([[0.5], [0.25]])}
    cost = Cost(*(np.full((1, 3), k + round) for k in range(5)))
    return Snapshot(
        round, 1.5, [np.arange(6.0).reshape(1, 3, 2), np.full((1, 3, 1), float(round))], cost, rows, {"seed": 0}
    )


def equal(one, other):
    np.testing.assert_equal(one._asdict(), other._asdict())
    return True


def problem(**options):
    return hg.problems.quadratic(3, 2, 2, **({"seed": 0, "noise": 0.1} | options))


def solve(folder=None, algorithm=ALGORITHM, network=NETWORK, of=None, **options):
    settings = {"rounds": 12, "observe_every": 4, "check": False, "checkpoint": folder}
    return hg.solve(algorithm, of or problem(), network, **(settings | options))


def test_what_is_written_is_read(tmp_path):
    path = checkpoint.write(tmp_path / "new" / "folder", saved())
    assert path == tmp_path / "new" / "folder" / FILE
    assert equal(checkpoint.read(path.parent), saved())
    checkpoint.write(path.parent, saved(9))
    assert equal(checkpoint.read(path.parent), saved(9))
    assert [entry.name for entry in path.parent.iterdir()] == [FILE]  # and nothing else is left


WRITER = """
import os, random, signal, sys, time
import numpy as np
from hypergossip.running import snapshot as checkpoint
from hypergossip.running import loop
from hypergossip.running import solve as solver
from hypergossip.core.algorithm import Cost
from hypergossip.running.snapshot import Snapshot

folder, random = sys.argv[1], random.Random(3)

def write(number):
    leaves = [np.full((1, 4, 20_000), float(number)) for _ in range(4)]
    cost = Cost(*(np.full((1, 4), number) for _ in range(5)))
    checkpoint.write(folder, Snapshot(number, 0.0, leaves, cost, {"round": np.full((number, 1), number)}, {}))

number = 1
write(number)
for kill in range(10):
    child = os.fork()
    if child == 0:
        while True:
            number += 1
            write(number)
    try:
        while checkpoint.read(folder).round < number + 3:  # it writes by now, however busy the machine
            time.sleep(0.005)
        time.sleep(0.03 * random.random())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    saved = checkpoint.read(folder)
    assert saved.round > number, "nothing was written"
    number = saved.round
    for leaf in [*saved.leaves, *saved.cost, saved.rows["round"]]:
        assert (leaf == number).all(), "a mixture"
    assert len(saved.rows["round"]) == number
print("kept", number)
"""


def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WRITER, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kept")


def test_a_write_that_fails_leaves_the_last_one(tmp_path, monkeypatch):
    checkpoint.write(tmp_path, saved())

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.write(tmp_path, saved(9))
    monkeypatch.undo()
    assert equal(checkpoint.read(tmp_path), saved())


def test_a_checkpoint_cut_off_anywhere_is_damaged(tmp_path):
    path = checkpoint.write(tmp_path, saved())
    whole = path.read_bytes()
    for length in [0, 1, 10, *range(100, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(hg.CheckpointError, match="damaged"):
            checkpoint.read(tmp_path)
        assert path.read_bytes() == whole[:length]  # nothing is done to it


def test_a_flipped_byte_is_found_or_changes_nothing(tmp_path):
    path = checkpoint.write(tmp_path, saved())
    whole, found = path.read_bytes(), 0
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            equal(checkpoint.read(tmp_path), saved())
        except hg.CheckpointError:
            found += 1
    assert found > 100


def test_other_files_are_not_checkpoints(tmp_path):
    with pytest.raises(hg.CheckpointError, match="no checkpoint"):
        checkpoint.read(tmp_path)
    for content in (b"hello", json.dumps({"round": 3}).encode()):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(hg.CheckpointError, match="damaged"):
            checkpoint.read(tmp_path)
    np.save(tmp_path / "array.npy", np.arange(3))
    (tmp_path / "array.npy").rename(tmp_path / FILE)
    with pytest.raises(hg.CheckpointError, match="damaged"):
        checkpoint.read(tmp_path)


def test_another_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    checkpoint.write(tmp_path, saved())
    monkeypatch.undo()
    with pytest.raises(hg.CheckpointError, match="format 99"):
        checkpoint.read(tmp_path)


def logistic_like(regulariser=1.0, batch_size=2, lower_share=False, **options):
    data = np.arange(12.0).reshape(3, 4) / 10
    return hg.Problem(
        lambda x, y, batch: jnp.mean((batch - y) ** 2) + jnp.sum(x**2),
        lambda x, y, batch: jnp.mean((batch - y) ** 2) + regulariser * jnp.sum((y - x) ** 2),
        upper_data=data,
        lower_data=data,
        x0=np.zeros(1),
        y0=np.zeros(1),
        batch_size=batch_size,
        share={"upper": True, "lower": lower_share},
        **options,
    )


SLAM = hg.Slam(0.1, 0.1, 1.0, 0.5, hg.Exact())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    solve(folder, algorithm=SLAM, of=logistic_like(), rounds=2)
    return (folder / FILE).read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"algorithm": hg.Slam(0.2, 0.1, 1.0, 0.5, hg.Exact())}, "algorithm"),
        ({"algorithm": hg.Slam(0.1, 0.1, 1.0, 0.5, hg.ConjugateGradient(2))}, "algorithm"),
        ({"algorithm": hg.DSGD(0.1, 0.1, hg.Exact())}, "algorithm"),
        ({"network": hg.networks.path(3)}, "network"),
        ({"network": hg.networks.ring(3, weights="lazy-metropolis")}, "network"),
        ({"seed": 1}, "seed"),
        ({"seeds": 1}, "seeds"),
        ({"of": logistic_like(2.0)}, "losses"),
        ({"of": logistic_like(batch_size=3)}, "losses"),
        ({"of": logistic_like(batch_size=None)}, "losses"),
        ({"of": logistic_like(sampling="blocks")}, "losses"),
        ({"of": logistic_like(project=lambda x: jnp.clip(x, -1, 1))}, "losses"),
        ({"of": logistic_like(lower_share=True)}, "shared"),
        ({"of": hg.problems.quadratic(3, 1, 1, seed=1)}, "problem"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_another_configuration_is_refused_and_the_file_left_alone(written, tmp_path, change, named):
    (tmp_path / FILE).write_bytes(written)
    with pytest.raises(hg.CheckpointError, match="another configuration") as error:
        solve(tmp_path, **({"algorithm": SLAM, "of": logistic_like(), "rounds": 2} | change))
    assert named in str(error.value).split("differ")[0]
    assert "nothing was changed" in str(error.value)
    assert (tmp_path / FILE).read_bytes() == written


def test_a_run_with_other_random_streams_is_refused(written, tmp_path, monkeypatch):
    """It would go on with other samples than those of the run that was interrupted."""
    (tmp_path / FILE).write_bytes(written)
    monkeypatch.setattr("hypergossip.running.run.STREAMS", "threefry2x32")
    with pytest.raises(hg.CheckpointError, match="random streams differ"):
        solve(tmp_path, algorithm=SLAM, of=logistic_like(), rounds=2)


def test_functions_made_anew_in_every_process_are_the_same_configuration():
    """What counts is what they compute, and not where they lie in memory."""
    made = [begin(hg.Simulated(), SLAM, False, logistic_like(), NETWORK, np.array([0]), None)[0] for _ in range(2)]
    assert made[0].configuration == made[1].configuration
    decay = jax.tree_util.Partial(lambda scale, t: scale * jnp.where(t > 0, 0.5, 1.0), 0.1)
    again = jax.tree_util.Partial(lambda scale, t: scale * jnp.where(t > 0, 0.5, 1.0), 0.1)
    for step in (decay, again):
        algorithm = hg.DSGD(step, 0.1, hg.Exact())
        run, _ = begin(hg.Simulated(), algorithm, False, logistic_like(), NETWORK, np.array([0]), None)
        assert "0x" not in str(run.configuration)


@pytest.mark.parametrize("stopped_at", [1, 5, 8, 12])
def test_resuming_at_any_round_is_the_run_that_never_stopped(tmp_path, stopped_at):
    whole = solve()
    solve(tmp_path, rounds=stopped_at, observe_every=4)
    on = solve(tmp_path)
    for a, b in zip(on.saved.leaves, whole.saved.leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    on_rows, rows = (result.history.drop(columns="seconds").set_index("round") for result in (on, whole))
    assert on_rows.loc[rows.index].equals(rows)  # and one more, where the first part ended
    assert set(on_rows.index) == {0, 4, 8, 12, stopped_at}
    assert checkpoint.read(tmp_path).round == 12


def test_a_checkpoint_every_so_often(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    rounds, write = [], solver.disk.write
    monkeypatch.setattr(solver.disk, "write", lambda folder, saved: rounds.append(saved.round) or write(folder, saved))
    solve(tmp_path / "a", checkpoint_every=0.0, rounds=5, observe_every=5)
    assert rounds == [5, 5]
    rounds.clear()
    solve(tmp_path / "b", checkpoint_every=3600.0)
    assert rounds == [12]


def test_an_observation_added_later_has_no_value_before(tmp_path):
    plain = problem()
    watched = hg.Problem.from_oracles(
        plain.oracles, x0=np.zeros(2), y0=np.zeros(2), observe={"first": lambda x, y: x[0]}
    )
    first = solve(of=plain, rounds=4)
    later = solve(of=watched, rounds=4, start=first)
    assert list(np.isnan(later.history["first"])) == [True, True, False]
    back = solve(of=plain, rounds=4, start=later)
    assert list(np.isnan(back.history["first"])) == [True, True, False, True]
