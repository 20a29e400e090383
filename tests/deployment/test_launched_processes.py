"""Processes that are started together: their output, their failures, signals, and that none is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from plans import PLAN, PROGRAM, TASK, written

from calling import call, done
from hypergossip.lab.deployment import launching
from hypergossip.lab.deployment.addresses import on_this_machine
from hypergossip.lab.deployment.processes import run_together
from hypergossip.support import ports


def python(text):
    return [sys.executable, "-c", text]


SLEEP = "import time; print('begun', flush=True); time.sleep(60)"
# Ends by SIGTERM only by force, and starts another process that sleeps too.
STUBBORN = (
    "import signal, subprocess, sys; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True));"
    "signal.signal(signal.SIGINT, signal.SIG_IGN);"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(child.pid, flush=True);"
    "child.wait()"
)


def gone(number, within=10.0):
    """Whether a process has ended, or ends soon; one that waits to be collected has."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_lines_bear_the_names_and_success_is_no_failure():
    lines = []
    text = "import sys; print('one'); print('two', file=sys.stderr); print('three', end='')"
    assert run_together({"a": python(text), "b": python("print('b')")}, lines.append) == []
    assert sorted(lines) == ["a | one", "a | three", "a | two", "b | b"]


def test_a_failure_is_named_with_its_last_lines_and_the_others_continue():
    late = python("import time; time.sleep(1); print('finished')")
    lines = []
    commands = {"late": late, "bad": python("[print(i) for i in range(9)]; raise SystemExit(5)")}
    (failure,) = run_together(commands, lines.append)
    assert (failure.name, failure.status, failure.lines) == ("bad", 5, ("6", "7", "8"))
    assert str(failure) == "bad ended with 5; its last lines: 6 | 7 | 8"
    assert lines[-1] == "late | finished"
    (killed,) = run_together({"x": python("import os; os.kill(os.getpid(), 9)")}, lines.append)
    assert "x was ended by SIGKILL; its last lines: it wrote nothing" in str(killed)


def test_a_refused_configuration_ends_the_others():
    begun = time.monotonic()
    commands = {"waits": python(SLEEP), "refused": python("raise SystemExit(2)")}
    (failure,) = run_together(commands, lambda line: None)
    assert (failure.name, failure.status) == ("refused", 2)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_all_and_those_that_ignore_it_are_killed(number):
    lines = []

    def show(line):
        lines.append(line)
        if len(lines) == 2:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match=number.name):
        run_together({"a": python(SLEEP), "b": python(STUBBORN)}, show, grace=1.0)
    assert signal.getsignal(number) == before
    assert gone(int(next(line for line in lines if line.startswith("b | ")).removeprefix("b | ")))


def test_a_second_signal_kills_at_once():
    lines = []

    def show(line):
        lines.append(line)
        if line.startswith("b | ") and len(lines) <= 2:
            os.kill(os.getpid(), signal.SIGTERM)

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_together({"b": python(STUBBORN)}, show, grace=50.0)
    assert time.monotonic() - begun < 25


def test_an_error_in_between_leaves_nobody_behind(monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    before = {thread.name for thread in threading.enumerate()}
    with pytest.raises(FileNotFoundError):
        run_together({"a": python(SLEEP), "b": ["no-such-program-here"]}, lambda line: None)
    (one,) = started
    assert one.returncode == -signal.SIGKILL
    assert {thread.name for thread in threading.enumerate()} <= before


PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
CHILD = """
import os, time
from hypergossip.lab.deployment.processes import end_with_parent
end_with_parent(os.getppid())
print("begun", flush=True)
time.sleep(60)
"""


def test_an_agent_ends_when_its_launcher_was_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def stand_in(monkeypatch, text):
    """Starts a small program in the place of every agent; its first argument is the agent's file."""
    commands = launching.commands
    monkeypatch.setattr(
        launching,
        "commands",
        lambda plan, folder: {name: [*python(text), old[-1]] for name, old in commands(plan, folder).items()},
    )


READ = """
import sys, tomllib
file = tomllib.load(open(sys.argv[1], "rb"))
print(file["agent"]["listen"].rpartition(":")[0], [one["name"] for one in file["neighbours"]])
"""


def test_launch_starts_all_agents_on_this_machine_whatever_their_hosts(tmp_path, monkeypatch):
    stand_in(monkeypatch, READ)
    hosts = "".join(f'[[agents]]\nname = "{name}"\nhost = "{name}.example.org"\n' for name in "abcd")
    output = done("launch", written(tmp_path, PLAN + hosts), "--to", tmp_path / "out").stdout
    assert sorted(output.splitlines()) == [
        "a | tls/127.0.0.1 ['b', 'd']",
        "b | tls/127.0.0.1 ['a', 'c']",
        "c | tls/127.0.0.1 ['b', 'd']",
        "d | tls/127.0.0.1 ['a', 'c']",
    ]
    assert (tmp_path / "out/watch/watch.toml").is_file()


def test_launch_into_a_temporary_folder_leaves_nothing(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import sys; print(sys.argv[1])")
    output = done("launch", written(tmp_path, TASK, PROGRAM)).stdout
    folders = {line.partition(" | ")[2] for line in output.splitlines()}
    assert len(folders) == 4
    assert not any(Path(folder).exists() for folder in folders)


def test_launch_fails_if_an_agent_fails_and_names_it(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import sys; print('no data'); sys.exit(3 if 'agent-2' in sys.argv[1] else 0)")
    result = call("launch", written(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1] == "hypergossip: agent-2 ended with 3; its last lines: no data"


def test_sigterm_ends_the_launched_agents_and_the_status_says_so(tmp_path):
    """The real command, whose agents, as programs of their own, wait in `load` when the signal comes."""
    program = PROGRAM.replace(
        "    rows = ", "    import time\n    print('loading', flush=True)\n    time.sleep(60)\n    rows = "
    )
    path = written(tmp_path, TASK.replace("n = 4", "n = 3"), program)
    command = [sys.executable, "-m", "hypergossip", "launch", path, "--to", tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as launched:
        assert launched.stdout is not None
        assert launched.stderr is not None
        begun = {launched.stdout.readline().strip() for _ in range(3)}
        launched.terminate()
        rest = launched.stdout.read()
        assert launched.wait(timeout=60) == 143
        assert begun == {f"agent-{i} | loading" for i in range(3)}
        assert rest.count("SIGTERM") == 3
        assert "all agents have ended" in launched.stderr.read()


def test_ports_are_free_and_different():
    places = on_this_machine(list("abcdefgh"))
    assert len({place.port for place in places}) == 8
    assert [place.number for place in places] == list(range(8))


def test_ports_are_none_that_the_system_gives_to_outgoing_connections(monkeypatch):
    """Else a neighbour that retries could take the port of an agent that starts later."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(place.port < first for place in on_this_machine(list("abcdefgh")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "OF_SERVERS", range(port, port + 1))
        with pytest.raises(ValueError, match="1 agents need as many free ports"):
            on_this_machine(["a"])
