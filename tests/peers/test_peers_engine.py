"""Agents in processes of their own give the result of `Simulated`, and leave no process behind, however a run ends."""

import os
import signal
import subprocess
import sys
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest
from networked import AGENTS, RING, agents_of, ended, run, same, servers_of, small, within

import hypergossip as hg
from hypergossip.problems.actor_critic.presets import cooperative_navigation
from refusals import refused


@pytest.fixture(autouse=True)
def _nobody_is_left():
    yield
    assert servers_of(os.getpid()) == []


def test_it_is_the_run_of_simulated():
    same(run(observe_every=7), run(hg.Simulated(), observe_every=7))


def test_lambdas_several_seeds_and_a_channel():
    """Functions of a user's session are sent to the agents' processes, which have no name for them."""
    scale = 0.5
    random = np.random.default_rng(0)
    upper = [{"t": random.standard_normal((6, 2))} for _ in range(AGENTS)]
    lower = [{"s": random.standard_normal((6, 2))} for _ in range(AGENTS)]
    problem = hg.Problem(
        lambda x, y, batch: scale * jnp.mean(jnp.sum((y - batch["t"]) ** 2, axis=1)) + 0.1 * jnp.sum(x**2),
        lambda x, y, batch: 0.5 * jnp.mean(jnp.sum((y - x - batch["s"]) ** 2, axis=1)),
        upper_data=upper,
        lower_data=lower,
        x0=np.zeros(2),
        y0=np.zeros(2),
        batch_size=3,
    )
    given = {"seeds": 2, "channel": [hg.channels.EdgeSums(), hg.channels.Quantize(8)], "problem": problem}
    same(run(**given), run(hg.Simulated(), **given))


def test_unencrypted_links_give_the_same():
    same(run(hg.Peers(encrypted=False)), run(hg.Simulated()))


@pytest.mark.parametrize("channel", [None, [hg.channels.EdgeSums(), hg.channels.Quantize(8)]])
def test_numbers_of_no_level_travel_with_the_vectors(channel):
    given = {"algorithm": hg.AdaSDBO(), "problem": small(share="both"), "channel": channel}
    same(run(**given), run(hg.Simulated(), **given))


def test_messages_of_an_inner_loop_have_one_common_copy():
    channel = [hg.channels.CommonCopy(0.3, level="lower"), hg.channels.TopK(1)]
    given = {"algorithm": hg.C2DFB(0.04, 0.05, 10.0, inner_steps=2), "problem": small(share="both"), "channel": channel}
    same(run(**given), run(hg.Simulated(), **given))


def test_a_run_continues_from_a_checkpoint_and_from_a_result(tmp_path):
    whole = run(hg.Simulated(), rounds=20, observe_every=5)
    run(rounds=10, observe_every=5, checkpoint=tmp_path)
    same(run(rounds=20, observe_every=5, checkpoint=tmp_path), whole)
    half = run(hg.Simulated(), rounds=10)
    there, here = (run(engine, start=half, rounds=10) for engine in (None, hg.Simulated()))
    np.testing.assert_allclose(there.x, here.x, rtol=0, atol=1e-10)


def test_a_killed_agent_is_named_and_nobody_is_left():
    killed: list[float] = []

    def rule(row):
        if row["round"] == 200:
            agents = agents_of(os.getpid())
            assert len(agents) == AGENTS
            threading.Timer(0.2, lambda: (killed.append(time.monotonic()), os.kill(agents[1], signal.SIGKILL))).start()
        return False

    with pytest.raises(hg.PeersError, match=r"agent 1.*has ended"):
        run(rounds=10**7, observe_every=200, stop=rule)
    assert time.monotonic() - killed[0] < 10


def test_an_error_in_an_agents_process_is_shown_with_its_traceback():
    def loss(x, y, batch):
        if os.environ.get("JAX_PLATFORMS") == "cpu" and "fork_server" in sys.argv[0]:
            raise RuntimeError("only here")
        return jnp.sum(x**2) + jnp.sum((y - batch["t"]) ** 2)

    data = [{"t": np.zeros((2, 2))} for _ in range(AGENTS)]
    problem = hg.Problem(loss, loss, upper_data=data, lower_data=data, x0=np.zeros(2), y0=np.zeros(2))
    with pytest.raises(hg.PeersError, match=r"agent 0: RuntimeError: only here(?s:.*)Traceback"):
        run(problem=problem)


def test_refusals():
    push = hg.GTSGDPushPull(0.05, 0.1, hg.Exact())
    refused(lambda: run(algorithm=push, network=hg.networks.directed_ring(3)), ["Peers", "directed"])
    refused(lambda: run(network=hg.networks.over_time.links_up(RING, 0.5)), ["Peers", "changes"])
    game = cooperative_navigation(widths=(2,))
    refused(lambda: run(problem=game, algorithm=hg.DSGD(0.1, 0.1, hg.ConjugateGradient(2, 1e-3))), ["Peers", "world"])
    refused(lambda: run(hg.Peers(policy="deadline")), ["deadline", "EdgeSums"])
    refused(lambda: run(hg.Peers(policy="quorum"), channel=[hg.channels.EdgeSums(), hg.channels.Delay(2)]), ["Delay"])
    refused(lambda: hg.Peers(policy="hurry"), ["hurry", "wait"])


CHILD = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import hypergossip as hg

def rule(row):
    print(row["round"], flush=True)
    return False

if __name__ == "__main__":
    hg.solve(
        hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0)), hg.problems.quadratic(3, 3, 4), hg.networks.ring(3),
        rounds=10**7, observe_every=50, stop=rule, check=False, progress=False, engine=hg.Peers(),
    )
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_is_left_when_the_users_process_ends(number):
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[1].strip() == b"50", process.stderr.read().decode()
        started = [*servers_of(process.pid), *agents_of(process.pid)]
        assert len(started) == AGENTS + 1
        os.kill(process.pid, number)
        assert within(lambda: process.poll() is not None, 15)
        assert process.returncode != 0
        assert ended(started)


FILE = """
[problem]
name = "quadratic"
[network]
name = "ring"
n = 3
[run]
rounds = 10
engine = "peers"
[methods.D-SGD]
algorithm = "dsgd"
upper_step = 0.05
lower_step = 0.1
hypergradient = "exact"
"""


def test_a_configuration_may_name_it(tmp_path):
    (tmp_path / "run.toml").write_text(FILE)
    command = [sys.executable, "-m", "hypergossip", "compare", "--config", "run.toml", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
