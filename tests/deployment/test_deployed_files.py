"""What `deploy` writes, and what it keeps when it is run again."""

import subprocess
import tomllib

import pytest
from plans import AGENTS, PLAN, PROGRAM, TASK, deployed, written

from calling import call, done, refused
from hypergossip.lab.deployment.folder import deploy
from hypergossip.lab.deployment.plan import read_plan
from hypergossip.lab.watching import plan_file


def table(path):
    return tomllib.loads(path.read_text())


def test_every_agent_gets_its_folder_and_the_command_names_every_file(tmp_path):
    output = done("deploy", written(tmp_path), "--to", tmp_path / "out").stdout
    out = tmp_path / "out"
    files = {path for path in out.rglob("*") if path.is_file()}
    assert files == {out / line.partition(": ")[0].removeprefix(f"{out}/") for line in output.splitlines()}
    assert {path.relative_to(out).as_posix() for path in files} == {
        *(f"agent-{i}/{name}" for i in range(4) for name in ("agent.toml", "agent.pem", "agent.key", "authority.pem")),
        *(f"hypergossip-agent-{i}.service" for i in range(4)),
        *(f"watch/{name}" for name in ("watch.toml", "watch.pem", "watch.key", "authority.pem")),
        *("compose.yaml", "deployment.toml", "authority.key", "authority.pem"),
    }
    assert "keep it in a safe place" in output
    for path in files:
        assert path.suffix != ".key" or path.stat().st_mode & 0o777 == 0o600


def test_an_agents_file_has_its_own_part_of_the_plan(tmp_path):
    deployed(tmp_path)
    file = table(tmp_path / "out/agent-1/agent.toml")
    assert file["agent"] | {"run": ""} == {
        "name": "agent-1",
        "number": 1,
        "agents": 4,
        "run": "",
        "listen": "tls/127.0.0.1:7451",
        "observers": ["watch"],
        "state": "state",
    }
    assert len(bytes.fromhex(file["agent"]["run"])) == 16
    assert file["neighbours"] == [
        {"name": "agent-0", "number": 0, "address": "tls/127.0.0.1:7450"},
        {"name": "agent-2", "number": 2, "address": "tls/127.0.0.1:7452"},
    ]
    assert file["run"] == {"rounds": 40, "seed": 3, "precision": "float64"}
    assert file["peers"] == {"policy": "quorum", "quorum": 0.75, "ahead": 2, "checkpoint_every": 5.0}
    assert file["channel"] == [{"name": "edge_sums"}]
    assert file["methods"]["dsgd"]["lower_step"] == {"scale": 0.2, "offset": 1, "power": "1/3"}


def test_weights_that_are_not_metropolis_are_written_for_each_neighbour(tmp_path):
    text = PLAN.replace('name = "ring"', 'name = "star"\nweights = "laplacian"')
    deployed(tmp_path, text)
    mixing = read_plan(tmp_path / "plan.toml").network.mixing.toarray()
    for i in range(4):
        given = {one["number"]: one["weight"] for one in table(tmp_path / f"out/agent-{i}/agent.toml")["neighbours"]}
        assert given == {j: mixing[i, j] for j in range(4) if j != i and mixing[i, j] != 0}


def test_hosts_names_and_ports_of_the_plan(tmp_path):
    deployed(tmp_path, PLAN + AGENTS)
    paris = table(tmp_path / "out/paris/agent.toml")
    assert paris["agent"]["listen"] == "tls/0.0.0.0:7450"
    addresses = [(one["name"], one["address"]) for one in paris["neighbours"]]
    assert addresses == [("rome", "tls/192.0.2.7:8000"), ("bonn", "tls/[2001:db8::5]:7450")]
    assert table(tmp_path / "out/oslo/agent.toml")["agent"]["listen"] == "tls/0.0.0.0:7450"
    assert table(tmp_path / "out/bonn/agent.toml")["agent"]["listen"] == "tls/[::]:7450"


def test_the_observers_file_has_agents_and_edges(tmp_path):
    made = deployed(tmp_path, PLAN + AGENTS)
    file = plan_file.read(tmp_path / "out/watch/watch.toml")
    assert file.run == made.run
    assert [(one.name, one.number) for one in file.agents] == [("paris", 0), ("rome", 1), ("oslo", 2), ("bonn", 3)]
    assert file.edges() == [(0, 1), (0, 3), (1, 2), (2, 3)]
    assert file.certificates is not None
    assert file.certificates.key == tmp_path / "out/watch/watch.key"


def test_named_nodes_name_the_agents_and_sections_are_paired_by_name(tmp_path):
    options = 'names = ["rome", "paris", "oslo"]\nedges = [["rome", "paris"], ["rome", "oslo"]]'
    text = PLAN.replace('name = "ring"\nn = 4', f'name = "from_edges"\nn = 3\n{options}')
    names = [place.name for place in read_plan(written(tmp_path, text)).places]
    assert names == ["rome", "paris", "oslo"]
    sections = "".join(f'[[agents]]\nname = "{name}"\nport = {9000 + i}\n' for i, name in enumerate(reversed(names)))
    places = read_plan(written(tmp_path, text + sections)).places
    assert [(place.name, place.number, place.port) for place in places] == [
        *(("rome", 0, 9002), ("paris", 1, 9001), ("oslo", 2, 9000)),
    ]
    with pytest.raises(ValueError, match="node 'paris' has no section"):
        read_plan(written(tmp_path, text + sections.replace('"paris"', '"london"')))


def test_the_program_is_copied_to_every_agent_and_not_run(tmp_path):
    deployed(tmp_path, TASK, PROGRAM + "\nraise RuntimeError\n")
    for i in range(4):
        folder = tmp_path / f"out/agent-{i}"
        assert "raise RuntimeError" in (folder / "task.py").read_text()
        assert table(folder / "agent.toml")["task"] == {"program": "task.py:make"}


def test_a_further_agent_leaves_certificates_and_the_run_as_they_are(tmp_path):
    first = deployed(tmp_path)
    keys = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.key")}
    keys |= {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.pem")}
    second = deployed(tmp_path, PLAN.replace("n = 4", "n = 5"))
    assert second.run == first.run
    assert {path: path.read_bytes() for path in keys} == keys
    assert (tmp_path / "out/agent-4/agent.pem").is_file()
    assert any("earlier one" in note for note in second.notes)
    third = deployed(tmp_path, PLAN, new_run=True)
    assert third.run != first.run
    assert table(tmp_path / "out/agent-0/agent.toml")["agent"]["run"] == third.run
    assert any("agent-4 left the plan" in note for note in third.notes)


def test_the_folder_of_another_plan_or_of_other_files_is_refused(tmp_path):
    deployed(tmp_path)
    before = (tmp_path / "out/deployment.toml").read_text()
    other = written(tmp_path / "other")
    sentence = refused(call("deploy", other, "--to", tmp_path / "out"))
    assert "another plan" in sentence
    assert "plan.toml" in sentence
    assert (tmp_path / "out/deployment.toml").read_text() == before
    assert "is no deployment" in refused(call("deploy", other, "--to", tmp_path))
    assert "is a file" in refused(call("deploy", other, "--to", other))
    with pytest.raises(ValueError, match="written by `hypergossip deploy`"):
        deploy(read_plan(tmp_path / "plan.toml"), tmp_path / "out", one_machine=True)


def test_units_are_valid_for_systemd(tmp_path):
    deployed(tmp_path)
    unit = (tmp_path / "out/hypergossip-agent-2.service").read_text()
    assert "--config agent.toml" in unit
    assert "StateDirectory=hypergossip/agent-2\n" in unit
    copy = tmp_path / "hypergossip-agent-2.service"
    copy.write_text(unit.replace("/opt/hypergossip/bin/hypergossip", "/bin/true"))
    try:
        done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not installed")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_starts_every_agent_in_its_folder(tmp_path):
    yaml = pytest.importorskip("yaml")
    deployed(tmp_path, PLAN + AGENTS)
    services = yaml.safe_load((tmp_path / "out/compose.yaml").read_text())["services"]
    assert list(services) == ["paris", "rome", "oslo", "bonn"]
    for name, service in services.items():
        assert service["volumes"] == [f"./{name}:/agent"]
        assert service["command"] == ["hypergossip", "agent", "--config", "agent.toml"]
        assert service["network_mode"] == "host"
