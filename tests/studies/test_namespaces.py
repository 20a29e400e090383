"""The test network of namespaces: who reaches whom, what a cut does, and that nothing is left."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from studies.namespaces import PLACE, Namespaces, Unavailable, remove_leftovers

from studies import chaos

PORT, ROOT = 7000, Path(__file__).parents[2]
# A process that makes a network with a process in it, and is ended before it can remove them.
KILLED = """
import os, signal, subprocess
from studies.namespaces import Namespaces
network = Namespaces(2, [(0, 1)]).__enter__()
none = subprocess.DEVNULL
inside = subprocess.Popen(["sleep", "60"], preexec_fn=lambda: network.enter(0), stdout=none, stderr=none)
print(inside.pid, *network.names, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _why_not() -> str:
    try:
        with Namespaces(2, [(0, 1)]):
            return ""
    except Unavailable as error:
        return str(error)


WHY_NOT = _why_not()
needs_namespaces = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def line():
    """Three agents in a line, 0 - 1 - 2, and a thread in each one's namespace; agents 1 and 2 listen."""
    with Namespaces(3, [(1, 0), (1, 2), (2, 1)]) as network:
        threads = [ThreadPoolExecutor(1, initializer=network.enter, initargs=(agent,)) for agent in range(3)]
        servers = [threads[agent].submit(socket.create_server, ("0.0.0.0", PORT)).result() for agent in (1, 2)]

        def reaches(agent: int, address: str) -> bool:
            try:
                threads[agent].submit(socket.create_connection, (address, PORT), 1.0).result().close()
            except OSError:
                return False
            return True

        yield network, reaches
        for server in servers:
            server.close()
        for thread in threads:
            thread.shutdown()


@needs_namespaces
def test_a_cut_link_passes_nothing_and_the_others_do(line):
    network, reaches = line
    assert network.edges == [(0, 1), (1, 2)]
    assert len({*network.addresses(0), *network.addresses(1), *network.addresses(2)}) == 4
    first, second = network.address(1, 0), network.address(2, 1)
    both = lambda: (reaches(0, first), reaches(1, second))
    assert both() == (True, True)
    assert not reaches(0, second)  # agents that are not neighbours
    for link in ((0, 1), (1, 0)):
        network.cut([link])
        assert both() == (False, True)
        network.restore([link])
        assert both() == (True, True)


@needs_namespaces
def test_both_ends_of_a_link_have_the_rate():
    with Namespaces(2, [(0, 1)], "5mbit") as network:
        for name in network.names:
            shown = subprocess.run(["tc", "-netns", name, "qdisc", "show"], capture_output=True, text=True, check=True)
            assert re.search("tbf .* rate 5Mbit", shown.stdout)


@needs_namespaces
def test_nothing_is_left_after_the_end_an_error_or_a_refusal():
    def left(names):
        return [name for name in names if (PLACE / name).exists()]

    def fail(network):
        with network:
            assert left(network.names) == network.names
            command = ["ip", "netns", "exec", network.names[0], "sh", "-c", "echo; sleep 60"]
            inside.append(subprocess.Popen(command, stdout=subprocess.PIPE))
            inside[0].stdout.readline()
            raise KeyError

    network, inside = Namespaces(2, [(0, 1)]), []
    with pytest.raises(KeyError):
        fail(network)
    assert left(network.names) == []
    assert inside[0].wait(5) != 0
    inside[0].stdout.close()
    refused = Namespaces(2, [(0, 1)], rate="fast")
    with pytest.raises(Unavailable, match=r"cannot be had here: .*fast"), refused:
        pass
    assert left(refused.names) == []


@needs_namespaces
def test_what_a_killed_process_left_is_removed():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, env=environment, timeout=30)
    inside, *names = done.stdout.split()
    assert len(names) == 2, done.stderr
    with Namespaces(2, [(0, 1)]) as mine:
        remove_leftovers()
        assert not any((PLACE / name).exists() for name in names)
        assert all((PLACE / name).exists() for name in mine.names)
    until = time.monotonic() + 5
    while Path(f"/proc/{inside}/status").exists() and time.monotonic() < until:
        if "State:\tZ" in Path(f"/proc/{inside}/status").read_text():
            break  # ended; whoever has inherited it has not collected it
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{inside}").exists()


def test_without_namespaces_the_study_says_so_or_uses_loopback(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(sys, "argv", ["chaos", "--namespaces"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        chaos.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("network namespaces need the program `ip`")
    assert said.count("\n") == 1
    with chaos.place("auto", "100mbit") as where:
        assert where.namespaces is None
        assert where.listen[0].startswith("tls/127.0.0.1:")
    assert "loopback" in capsys.readouterr().out
