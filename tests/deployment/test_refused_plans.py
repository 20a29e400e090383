"""A plan that cannot be deployed gets one sentence that names the cause and the line, and nothing is written."""

import pytest
from plans import AGENTS, PLAN, PROGRAM, TASK, written

from calling import call, refused

OWN = PLAN + AGENTS
SECTION = '[problem]\nname = "quadratic"\n'
BAD = {
    "two equal names": (OWN.replace('"rome"', '"paris"'), ("two agents", "'paris'", "line 30")),
    "names that differ in case": (OWN.replace('"rome"', '"Paris"'), ("'paris' and 'Paris'",)),
    "a name that is a path": (OWN.replace('"rome"', '"../rome"'), ("'../rome'", "cannot name a folder", "line 30")),
    "a name with a space": (OWN.replace('"rome"', '"new rome"'), ("'new rome'", "certificate")),
    "a long name": (OWN.replace('"rome"', f'"{"r" * 64}"'), ("at most 63",)),
    "an empty name": (OWN.replace('"rome"', '""'), ("''", "cannot name")),
    "the observer's name": (OWN.replace('"rome"', '"watch"'), ("'watch'", "choose another")),
    "a host with a port": (
        OWN.replace("paris.example.org", "paris:7450"),
        ("'paris:7450'", "without a port", "line 27"),
    ),
    "a host with a space": (OWN.replace("paris.example.org", "pa ris"), ("neither a host name nor an address",)),
    "no address": (OWN.replace("192.0.2.7", "192.0.2.700"), ("'192.0.2.700'", "neither")),
    "every address": (OWN.replace("192.0.2.7", "0.0.0.0"), ("0.0.0.0", "no address of a machine")),
    "this machine among others": (OWN.replace('host = "2001:db8::5"\n', ""), ("bonn", "127.0.0.1", "other machines")),
    "too few agents": (OWN.rpartition("[[agents]]")[0], ("3 sections [[agents]]", "4 agents", "line 4")),
    "an unknown option": (
        OWN.replace("host =", "hots =", 1),
        ("[agents.0]", "'hots'", "did you mean 'host'", "line 27"),
    ),
    "an unknown option of peers": (
        PLAN.replace("quorum =", "quorun ="),
        ("[peers]", "'quorun'", "'quorum'", "line 23"),
    ),
    "an unknown policy": (PLAN.replace('= "quorum"', '= "hope"'), ("policy = 'hope'", "line 22")),
    "a quorum above 1": (PLAN.replace("0.75", "75"), ("[peers] quorum", "above 0 and at most 1", "line 23")),
    "a large port": (PLAN + "port = 65534\n", ("no port for agent-2", "line 24")),
    "several seeds": (PLAN.replace("seed = 3", "seeds = 3"), ("one seed at a time", "line 10")),
    "a stop rule": (PLAN.replace("seed = 3", "stop = 0.1"), ("stop needs the points of all agents", "line 10")),
    "another engine": (PLAN.replace("seed = 3", 'engine = "sharded"'), ("'sharded'", "line 10")),
    "two methods": (
        PLAN.replace("[[ch", '[methods.b]\nalgorithm = "gtsgd"\n\n[[ch'),
        ("dsgd, b", "exactly one", "--method"),
    ),
    "a directed network": (PLAN.replace('"ring"', '"directed_ring"'), ("is directed", "line 4")),
    "a network that changes": (
        PLAN.replace('name = "ring"\nn = 4', 'name = "links_up"\nprobability = 0.5\ngraph = { name = "ring", n = 4 }'),
        ("changes from round to round", "line 4"),
    ),
    "no problem": (PLAN.replace(SECTION, ""), ("lacks the section [problem]", "[task]")),
    "a problem and a program": (PLAN + '[task]\nprogram = "task.py:make"\n', ("[task]", "[problem] as well")),
    "no program": (TASK.replace("task.py", "tusk.py"), ("tusk.py", "cannot be read", "line 2")),
    "a program without a function": (TASK.replace(":make", ""), ("'task.py'", '"task.py:make"', "line 2")),
    "a function that is not there": (TASK.replace(":make", ":build"), ("no function 'build'", "line 2")),
    "a bad method": (PLAN.replace("upper_step = 0.1\n", ""), ("[methods.dsgd]", "'upper_step'")),
    "an unknown stage": (PLAN.replace("edge_sums", "edge_sum"), ("[channel.0]", "edge_sums", "line 18")),
}
BAD["one address twice"] = (
    OWN.replace('host = "2001:db8::5"', 'host = "192.0.2.7"\nport = 8000'),
    ("rome and bonn", "192.0.2.7:8000", "line 41"),
)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plan_gets_one_sentence_and_writes_nothing(tmp_path, case):
    text, expected = BAD[case]
    sentence = refused(call("deploy", written(tmp_path, text, PROGRAM), "--to", tmp_path / "out"))
    for part in expected:
        assert part in sentence, sentence
    assert not (tmp_path / "out").exists()


def test_an_agent_without_neighbours_is_named(tmp_path):
    matrix = "[[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1.0]]"
    text = PLAN.replace('name = "ring"\nn = 4', f'name = "from_mixing"\nmatrix = {matrix}')
    sentence = refused(call("deploy", written(tmp_path, text), "--to", tmp_path / "out"))
    assert "agent 2 is cut off" in sentence


def test_a_missing_plan_and_a_program_with_an_error_are_one_sentence(tmp_path):
    assert "cannot be read" in refused(call("deploy", tmp_path / "plan.toml", "--to", tmp_path / "out"))
    path = written(tmp_path, TASK, "def make(agents:\n    pass\n")
    sentence = refused(call("deploy", path, "--to", tmp_path / "out"))
    assert "task.py, line 1" in sentence
    assert "not valid Python" in sentence
