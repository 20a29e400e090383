"""What needs no simulator: options, the graph of a file, SUMO's files, and a process that answers as sumo_rl does."""

import gc
import importlib

import numpy as np
import pytest

from hypergossip.problems.actor_critic import traffic_graph, traffic_signals
from hypergossip.problems.actor_critic.traffic import Signals
from hypergossip.problems.actor_critic.traffic_measures import read_measures

# A -> (a junction without a signal) -> B, and B -> C; a road leaves C and ends.
NET = """<net>
<edge id="a" from="out" to="A1"/><edge id="ab" from="A1" to="plain"/><edge id="pb" from="plain" to="B1"/>
<edge id="bc" from="B1" to="C1"/><edge id="c" from="C1" to="end"/><edge id=":A1_0" function="internal"/>
<tlLogic id="B"/><tlLogic id="A"/><tlLogic id="C"/><tlLogic id="unused"/>
<junction id="A1" x="0" y="10"/><junction id="B1" x="100" y="10"/><junction id="C1" x="100" y="50"/>
<junction id="A2" x="20" y="10"/><edge id="a2" from="out" to="A2"/>
<connection from="a" to="ab" tl="A" linkIndex="0"/><connection from="a2" to="ab" tl="A" linkIndex="1"/>
<connection from=":A1_0" to="ab"/><connection from="ab" to="pb"/><connection from="pb" to="bc" tl="B"/>
<connection from="bc" to="c" tl="C"/>
</net>"""
SUMO_RL = """
import os
import numpy as np
from types import SimpleNamespace as Some

class SumoEnvironment:
    def __init__(self, reward_fn, num_seconds, **options):
        if reward_fn == "pressure":
            raise KeyError("no lane")
        signal = lambda count: Some(action_space=Some(n=count), observation_space=Some(shape=(1,)), lanes=["a_0"])
        self.traffic_signals, self.seconds = {"A": signal(2), "B": signal(3)}, num_seconds

    def reset(self, seed):
        self.time, self.seen = 0, float(np.random.default_rng(seed).random())
        return self.told()

    def told(self):
        print("Step")
        return {name: np.array([self.seen], np.float32) for name in "AB"}

    def step(self, actions):
        if actions == {"A": 1, "B": 2}:
            print("Error: too late", flush=True)
            os._exit(3)
        self.time += 5
        return self.told(), dict(A=1, B=-1), {"A": False, "B": False, "__all__": self.time >= self.seconds}, {}

    def close(self):
        pass
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A road network's files, and a package that answers as sumo_rl does."""
    (tmp_path / "sumo_rl").mkdir()
    (tmp_path / "sumo_rl" / "__init__.py").write_text(SUMO_RL)
    for name in ("town.net.xml", "town.rou.xml"):
        (tmp_path / name).write_text(NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SUMO_HOME", str(tmp_path))
    importlib.invalidate_caches()
    return str(tmp_path / "town.net.xml"), str(tmp_path / "town.rou.xml")


def test_a_simulator_is_a_parallel_environment(files):
    environment = traffic_signals(*files, seconds=10)
    assert environment.possible_agents == ["A", "B"]
    assert environment.action_space("B").n == 3
    assert environment.metadata["name"] == "traffic signals of town"
    first, _ = environment.reset(seed=4)
    assert environment.observation_space("A").contains(first["A"])
    _, rewards, terminated, truncated, _ = environment.step({"A": 0, "B": 2})
    assert (rewards, terminated, truncated) == ({"A": 1.0, "B": -1.0}, *[{"A": False, "B": False}] * 2)
    *_, truncated, _ = environment.step({"A": 0, "B": 2})
    assert (truncated, environment.agents) == ({"A": True, "B": True}, [])
    np.testing.assert_array_equal(environment.reset(seed=4)[0]["A"], first["A"])
    assert environment.reset()[0]["A"] != environment.reset()[0]["A"]
    process = environment.simulator._process
    del environment
    gc.collect()
    assert process.returncode == 0


def test_a_simulator_that_fails_or_ends_is_told(files):
    with pytest.raises(
        RuntimeError, match=r"^the simulator cannot play .*: KeyError: 'no lane'; see whether SUMO reads them: sumo -n"
    ):
        traffic_signals(*files, reward="pressure")
    environment = traffic_signals(*files)
    environment.reset(seed=0)
    with pytest.raises(RuntimeError, match="simulator ended with exit code 3; SUMO: Error: too late"):
        environment.step({"A": 1, "B": 2})
    environment.close()
    with pytest.raises(RuntimeError, match="simulator ended with exit code 3"):
        environment.reset(seed=0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seconds": 7}, "seconds is 7; give a multiple of decision, which is 5"),
        ({"yellow": 5}, "yellow is 5 and decision 5; a yellow phase must be shorter"),
        ({"decision": 2.5}, "decision is 2.5; give a whole number, at least 2"),
        ({"reward": "speed"}, "reward is 'speed'; choose one of diff-waiting-time, queue, pressure, average-speed"),
        ({"net": "grid"}, "net is 'grid'; give one of RESCO's networks, grid4x4, .*, or a file of SUMO's"),
        ({"net": "no.net.xml"}, "net is 'no.net.xml'; give a file of SUMO's that exists"),
        ({"route": None}, "route is None; give a file of SUMO's that exists"),
        ({"begin": -1}, "begin is -1; give a whole number, at least 0"),
    ],
)
def test_wrong_options(files, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        traffic_signals(**{"net": files[0], "route": files[1]} | options)


def test_the_graph_of_a_file(files):
    graph = traffic_graph(files[0])
    assert set(map(frozenset, graph.edges)) == {frozenset("AB"), frozenset("BC")}
    assert list(graph.nodes(data=True)) == [
        ("B", {"x": 100.0, "y": 10.0}),
        ("A", {"x": 10.0, "y": 10.0}),
        ("C", {"x": 100.0, "y": 50.0}),
    ]


def test_the_measures_in_sumos_files(tmp_path):
    steps = [(1, 0, 4), (3, 2, 6), (5, 4, 8), (5, 0, 10)]
    rows = (f'<step halting="{halting}" waiting="{out}" inserted="{entered}"/>' for halting, out, entered in steps)
    (tmp_path / "summary.xml").write_text(f"<summary>{''.join(rows)}</summary>")
    lanes = {"a_0": (4, 1, 1), "a_1": (2, 0, 1), "b_0": (8, 3, 1)}
    rows = (
        f'<lane id="{name}" waitingTime="{waited}" entered="{entered}" departed="{begun}"/>'
        for name, (waited, entered, begun) in lanes.items()
    )
    (tmp_path / "lanes.xml").write_text(f"<meandata><interval><edge>{''.join(rows)}</edge></interval></meandata>")
    found = read_measures(tmp_path, Signals(["A", "B"], [2, 2], [1, 1], [["a_0", "a_1", "empty_0"], ["b_0"]]))
    assert found[:5] == (("A", "B"), 10, 1.4, 3.5, 1.5)
    np.testing.assert_allclose(found.signal_waiting, [2.0, 2.0])
    np.testing.assert_allclose(found.signal_queue, [1.5, 2.0])


@pytest.mark.parametrize(
    ("text", "sentence"), [("<net", "is not a road network of SUMO"), ("<net/>", "no traffic signal")]
)
def test_a_file_without_signals_has_no_graph(text, sentence, tmp_path):
    file = tmp_path / "roads.net.xml"
    file.write_text(text)
    (tmp_path / "roads.rou.xml").write_text("<routes/>")
    with pytest.raises(ValueError, match=sentence):
        traffic_graph(str(file))
