"""An agent's file becomes the settings with which it runs, or one sentence."""

import jax
import pytest
from plans import PLAN, PROGRAM, TASK, deployed

import hypergossip as hg
from calling import call, refused
from hypergossip.lab.deployment.starting import agent_settings
from hypergossip.peers import standalone
from hypergossip.peers.agent_settings import Neighbour, Policy


@pytest.fixture
def seen(monkeypatch):
    """The settings with which agents would have run."""
    settings = []
    monkeypatch.setattr(standalone, "run_agent", settings.append)
    return settings


def test_a_problem_with_a_name_is_built_whole(tmp_path, seen):
    made = deployed(tmp_path)
    path = tmp_path / "out/agent-2/agent.toml"
    assert call("agent", "--config", path).exit_code == 0
    (own,) = seen
    assert (own.name, own.number, own.agents, own.run) == ("agent-2", 2, 4, made.run)
    assert own.listen == "tls/127.0.0.1:7452"
    assert own.neighbours == (
        Neighbour("agent-1", 1, "tls/127.0.0.1:7451"),
        Neighbour("agent-3", 3, "tls/127.0.0.1:7453"),
    )
    assert isinstance(own.algorithm, hg.DSGD)
    assert own.problem.agents == 4
    assert (own.rounds, own.seed) == (40, 3)
    assert own.policy == Policy("quorum", 0.75)
    assert [type(stage).__name__ for stage in own.channel.stages] == ["EdgeSums"]
    assert own.observers == ("watch",)
    assert own.state == path.parent / "state"
    assert not own.loopback
    own.certificates.check()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_precision_is_that_of_the_plan_for_all_threads_and_ends_with_the_agent(tmp_path, precision):
    deployed(tmp_path, PLAN.replace("float64", precision))
    before = jax.config.read("jax_enable_x64")
    with agent_settings(tmp_path / "out/agent-0/agent.toml") as own:
        assert own.problem.x0.dtype == precision
        assert jax.config.read("jax_enable_x64") == (precision == "float64")
    assert jax.config.read("jax_enable_x64") == before


def test_a_program_loads_the_agents_own_data_alone(tmp_path, seen):
    deployed(tmp_path, TASK, PROGRAM)
    assert call("agent", "--config", tmp_path / "out/agent-3/agent.toml").exit_code == 0
    (own,) = seen
    assert (tmp_path / "out/agent-3/asked.txt").read_text() == "3\n"
    assert not (tmp_path / "asked.txt").exists()
    assert own.problem.agents == 1
    assert own.problem.identities.tolist() == [3]
    assert own.channel is None


PROGRAMS = {
    "an error in load": (PROGRAM.replace("    rows = ", "    {}[i]\n    rows = "), ("task.py, line 18", "KeyError")),
    "an error at import": (
        PROGRAM.replace("import hypergossip as hg", "import nothing_such"),
        ("line 8", "nothing_such"),
    ),
    "no pair": (PROGRAM.replace(", problem\n", "\n"), ("returned a DSGD", "a pair")),
    "the wrong order": (
        PROGRAM.replace(
            "return hg.DSGD(upper_step=0.1, lower_step=0.1, hypergradient=hg.Exact()), problem", "return problem, 1"
        ),
        ("a tuple of Problem, int", "the algorithm and the problem"),
    ),
    "another algorithm": (
        PROGRAM.replace(
            "return hg.DSGD(upper_step=0.1, lower_step=0.1, hypergradient=hg.Exact()), problem",
            'return "dsgd", problem',
        ),
        ("returned a str in the place of the algorithm",),
    ),
    "another number of agents": (PROGRAM.replace("n=agents", "n=5"), ("5 agents", "the network has 4", "n=4")),
    "too few agents": (PROGRAM.replace("n=agents", "n=2"), ("agent 3 does not exist: n is 2",)),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_that_fails_is_one_sentence_with_its_line(tmp_path, seen, case):
    text, expected = PROGRAMS[case]
    deployed(tmp_path, TASK, text)
    sentence = refused(call("agent", "--config", tmp_path / "out/agent-3/agent.toml"))
    for part in expected:
        assert part in sentence, sentence
    assert seen == []


def edited(old, new):
    def edit(folder):
        path = folder / "agent.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


BAD = {
    "a missing file": (lambda folder: (folder / "agent.toml").unlink(), ("cannot be read",)),
    "an unknown option": (edited("listen =", "listne ="), ("[agent]", "'listne'", "'listen'", "line 13")),
    "an unknown option of a neighbour": (edited("address", "adress"), ("'adress'", "'address'", "agent.toml, line")),
    "a missing option": (edited("rounds = 40\n", ""), ("[run] lacks", "'rounds'", "add it there (agent.toml, line")),
    "a wrong type": (edited("rounds = 40", 'rounds = "40"'), ("rounds = '40'", "integer")),
    "a bad run": (edited('run = "', 'run = "x'), ("[agent] run", "pattern")),
    "a number too large": (edited("number = 1\nagents", "number = 4\nagents"), ("number = 4", "0 to 3")),
    "a bad endpoint": (edited("tls/127.0.0.1:7451", "127.0.0.1:7451"), ("listen", "no endpoint")),
    "no encryption": (edited("tls/127.0.0.1:7450", "tcp/127.0.0.1:7450"), ("agent-0", "no endpoint")),
    "a neighbour twice": (edited("agent-2", "agent-0"), ("agent-0", "name or number")),
    "one weight alone": (edited(':7450"\n', ':7450"\nweight = 0.5\n'), ("both have a weight", "line 53")),
    "no neighbours": (
        lambda folder: (folder / "agent.toml").write_text(
            (folder / "agent.toml").read_text().partition("\n[[neighbours]]")[0]
        ),
        ("no section [[neighbours]]", "other 3 agents"),
    ),
    "a missing certificate": (lambda folder: (folder / "agent.pem").unlink(), ("does not exist", "deploy")),
    "a key that others can read": (lambda folder: (folder / "agent.key").chmod(0o640), ("0640", "chmod 600")),
    "another agent's name": (edited('name = "agent-1"', 'name = "agent-9"'), ("common name is 'agent-1'",)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_sentence_and_the_agent_does_not_run(tmp_path, seen, case):
    edit, expected = BAD[case]
    deployed(tmp_path)
    folder = tmp_path / "out/agent-1"
    edit(folder)
    sentence = refused(call("agent", "--config", folder / "agent.toml"))
    for part in expected:
        assert part in sentence, sentence
    assert seen == []


@pytest.mark.parametrize(("text", "status"), [("SIGTERM; it is saved.", 143), ("", 130)])
def test_signals_end_an_agent_with_the_status_of_shells(tmp_path, monkeypatch, text, status):
    def interrupted(_):
        raise KeyboardInterrupt(text)

    monkeypatch.setattr(standalone, "run_agent", interrupted)
    deployed(tmp_path)
    assert call("agent", "--config", tmp_path / "out/agent-1/agent.toml").exit_code == status
