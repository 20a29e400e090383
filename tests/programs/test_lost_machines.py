"""Machines that are lost without a farewell do not hold up what an agent receives from the others."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from studies.namespaces import Namespaces, Unavailable

from hypergossip.peers.certificates import Authority

ROOT = Path(__file__).parents[2]
HUB, HEALTHY, LOST = 0, 1, (2, 3, 4)
SECONDS_AFTER = 9.0  # the lease of 4 seconds, and some of the 10 seconds for which Zenoh may block a thread
# An agent that sends to its neighbours, and prints when a message of the healthy one has come, in its last seconds too.
AGENT = """
import sys, time
from pathlib import Path
from hypergossip.peers.link_settings import Certificates, settings
from hypergossip.peers.transport import Transport
me, folder, neighbours, addresses = int(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3]), eval(sys.argv[4])
files = Certificates(folder / "authority.pem", folder / f"{me}.pem", folder / f"{me}.key")
names = {f"agent-{j}": j for j in neighbours}
config = settings(["tls/0.0.0.0:7450"], addresses, run="ab" * 16, certificates=files, names=names)
def receive(message):
    if message == b"1":
        print(time.time(), flush=True)
transport = Transport(config, "ab" * 16, me, neighbours, receive, lambda _: None)
while True:
    for j in neighbours:
        transport.send(j, b"%d" % me)
    time.sleep(0.05)
"""


def test_other_messages_come_while_lost_machines_are_given_up(tmp_path):
    links = [(HUB, j) for j in (HEALTHY, *LOST)]
    processes = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    with contextlib.ExitStack() as stack, (tmp_path / "came").open("w") as came:
        try:
            network = stack.enter_context(Namespaces(5, links))
        except Unavailable as error:
            pytest.skip(str(error))
        authority = Authority.create("this test")
        for agent in range(5):  # before any of them reads the authority's, which is written with each
            authority.issue(f"agent-{agent}", network.addresses(agent), tmp_path, str(agent))
        for agent in range(5):
            who = tuple(j for i, j in links if i == agent) or (HUB,)
            to = [f"tls/{network.address(j, agent)}:7450" for j in who]
            given = [str(agent), str(tmp_path), repr(who), repr(to)]
            command = ["ip", "netns", "exec", network.names[agent], sys.executable, "-c", AGENT, *given]
            out = came if agent == HUB else subprocess.DEVNULL
            processes.append(subprocess.Popen(command, stdout=out, env=environment))
        until = time.monotonic() + 60
        while not (tmp_path / "came").stat().st_size and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)
        network.cut([(HUB, j) for j in LOST])
        begin = time.time()
        time.sleep(SECONDS_AFTER)
        end = time.time()
    for process in processes:
        process.wait(5)  # they ended with their namespaces
    times = [float(line) for line in (tmp_path / "came").read_text().splitlines()]
    times = [begin, *(at for at in times if begin < at < end), end]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 2
