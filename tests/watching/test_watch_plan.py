"""The file watch.toml: what it holds, and advice on what is wrong in it."""

import re
from pathlib import Path

import pytest
from small_network import RUN, Agents

from hypergossip.lab.watching import plan_file
from hypergossip.lab.watching.layout import positions
from hypergossip.peers.certificates import Authority

AGENT = 'name = "{name}"\nnumber = {number}\naddress = "tls/paris.example.org:7450"\nneighbours = {neighbours}\n'
TWO = [{"name": "paris", "number": 0, "neighbours": [1]}, {"name": "rome", "number": 1, "neighbours": [0]}]


def written(tmp_path, head=f'run = "{RUN}"\n', agents=TWO, extra=""):
    text = head + "".join("[[agents]]\n" + AGENT.format(**agent) for agent in agents) + extra
    (tmp_path / "watch.toml").write_text(text)
    return tmp_path / "watch.toml"


def test_a_file_is_read(tmp_path):
    plan = plan_file.read(written(tmp_path))
    assert (plan.run, plan.certificates, plan.loopback) == (RUN, None, False)
    assert [agent.name for agent in plan.agents] == ["paris", "rome"]
    assert plan.edges() == [(0, 1)]
    assert plan.name_of(1) == "rome"


def test_paths_of_certificates_are_relative_to_the_file(tmp_path):
    agents = Agents(tmp_path, 3)
    plan = plan_file.read(agents.config)
    assert plan.certificates is not None
    assert plan.certificates.key == tmp_path / "watch.key"
    (tmp_path / "watch.key").chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        plan_file.read(agents.config)


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"head": 'run = "xyz"\n'}, "line 1: 'run' is not valid; give 32 hexadecimal digits"),
        ({"head": ""}, "'run' is missing"),
        ({"head": f'run = "{RUN}"\nlop = true\n'}, "line 2: there is no option 'lop'"),
        ({"head": f'run = "{RUN}"\nloopback = 1\n'}, "give true or false"),
        ({"head": f'run = "{RUN}"\n[tls]\nkey = "a"\n'}, "'authority' is missing"),
        ({"agents": []}, r"sections \[\[agents\]\]"),
        ({"agents": [*TWO, TWO[0]]}, "two agents of the name 'paris'"),
        ({"agents": [TWO[0]]}, "paris has the neighbour 1"),
        ({"agents": [{"name": "", "number": 0, "neighbours": []}]}, "a text of 1 to 100 characters"),
        ({"extra": "x = = 1\n"}, "not valid TOML"),
        ({"agents": [{"name": "a", "number": -1, "neighbours": []}]}, "a whole number from 0"),
    ],
)
def test_advice_on_a_wrong_file(tmp_path, changed, advice):
    with pytest.raises(ValueError, match=advice):
        plan_file.read(written(tmp_path, **changed))


def rewritten(path, text):
    path.write_text(text)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda folder: rewritten(folder / "watch.pem", "x"), r"watch.pem is not a certificate \(PEM\)"),
        (lambda folder: rewritten(folder / "watch.key", "x"), r"watch.key is not a private key \(PEM\)"),
        (lambda folder: (folder / "rome.key").replace(folder / "watch.key"), "not the private key"),
        (lambda folder: Authority.create("other").issue("o", ["a"], folder, "o"), "not of the authority"),
        (lambda folder: Authority.create("old", days=0).issue("watch", ["a"], folder, "watch"), "has expired on"),
    ],
    ids=["certificate", "key", "another key", "another authority", "expired"],
)
def test_a_wrong_certificate_is_noticed_before_the_start(tmp_path, change, advice):
    agents = Agents(tmp_path, 3)
    change(tmp_path)
    with pytest.raises(ValueError, match=advice):
        plan_file.read(agents.config)


def test_a_missing_file_names_the_command_that_writes_it(tmp_path):
    with pytest.raises(ValueError, match="hypergossip deploy"):
        plan_file.read(tmp_path / "watch.toml")


def test_the_documented_file_is_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
    (text,) = [block for block in re.findall(r"```toml\n(.*?)```", page, re.S) if "[tls]" in block]
    Authority.create("test").issue("watch", ["a"], tmp_path, "watch")
    (tmp_path / "watch.toml").write_text(text)
    plan = plan_file.read(tmp_path / "watch.toml")
    assert plan.edges() == [(0, 1)]
    assert plan.certificates is not None


@pytest.mark.parametrize("count", [1, 2, 3, 9, 32, 150])
def test_every_agent_has_a_place_of_its_own_in_the_drawing(count):
    edges = [(i, (i + 1) % count) for i in range(count) if count > 1]
    places = positions(range(count), edges)
    assert places == positions(range(count), edges)
    assert all(-1e-9 <= v <= 1 + 1e-9 for place in places.values() for v in place)
    assert len({(round(x, 3), round(y, 3)) for x, y in places.values()}) == count


def test_a_network_in_two_parts_is_drawn():
    assert len(positions(range(4), [(0, 1), (2, 3)])) == 4
