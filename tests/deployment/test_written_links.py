"""Sessions of Zenoh with the certificates that `deploy` wrote: who is let in, and under which name."""

import time
from contextlib import ExitStack

import pytest
from plans import PLAN, deployed, written

from hypergossip.lab.deployment.folder import deploy
from hypergossip.lab.deployment.plan import read_plan
from hypergossip.lab.deployment.starting import agent_settings
from hypergossip.lab.watching import plan_file
from hypergossip.peers.agent_settings import AgentSettings
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import key_of_status, key_to, settings

zenoh = pytest.importorskip("zenoh")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The settings of the four agents of a ring, at ports that are free."""
    folder = tmp_path_factory.mktemp("links")
    deploy(read_plan(written(folder)).on_this_machine(), folder / "out", one_machine=True)
    made = []
    for i in range(4):
        with agent_settings(folder / f"out/agent-{i}/agent.toml") as own:
            made.append(own)
    return made


def options(own: AgentSettings, **changes):
    given = {
        "listen": [own.listen],
        "connect": [one.address for one in own.neighbours],
        "run": own.run,
        "certificates": own.certificates,
        "names": {one.name: one.number for one in own.neighbours},
        "observers": own.observers,
    }
    return settings(**(given | changes))


class Network:
    """Sessions that are closed at the end, and what each of them received."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack

    def join(self, config, key=None):
        session = self.stack.enter_context(zenoh.open(config))
        received = []
        if key is not None:
            session.declare_subscriber(
                key, lambda sample: received.append((str(sample.key_expr), bytes(sample.payload)))
            )
        return session, received


@pytest.fixture
def sessions():
    with ExitStack() as stack:
        yield Network(stack)


def sent_until(session, key, message, received, seconds):
    """Sends until something has arrived, or the time is over; returns whether it has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not received:
        session.put(key, message)
        time.sleep(0.05)
    return bool(received)


def test_neighbours_exchange_messages_with_the_written_certificates(network, sessions):
    zero, one = network[:2]
    first, to_zero = sessions.join(options(zero), key_to(zero.run, 1, 0))
    second, to_one = sessions.join(options(one), key_to(one.run, 0, 1))
    assert sent_until(first, key_to(zero.run, 0, 1), b"hello", to_one, 20)
    assert sent_until(second, key_to(zero.run, 1, 0), b"there", to_zero, 20)
    assert to_one[0] == (key_to(zero.run, 0, 1), b"hello")
    assert to_zero[0] == (key_to(zero.run, 1, 0), b"there")


def test_a_certificate_of_another_authority_does_not_get_through(network, sessions, tmp_path):
    zero, one = network[:2]
    stranger = Authority.create("plan").issue("agent-1", ["127.0.0.1"], tmp_path, "agent")
    _, to_zero = sessions.join(options(zero), f"hypergossip/{zero.run}/**")
    other, _ = sessions.join(options(one, certificates=stranger))
    assert not sent_until(other, key_to(zero.run, 1, 0), b"stranger", to_zero, 3)
    assert list(other.info.peers_zid()) == []


def test_an_agent_cannot_send_under_the_key_of_another(network, sessions):
    zero, one = network[0], network[1]
    _, to_zero = sessions.join(options(zero), f"hypergossip/{zero.run}/**")
    other, _ = sessions.join(options(one))
    assert sent_until(other, key_to(zero.run, 1, 0), b"own", to_zero, 20)
    to_zero.clear()
    assert not sent_until(other, key_to(zero.run, 3, 0), b"forged", to_zero, 2)


def test_an_agent_that_is_no_neighbour_is_not_heard(network, sessions):
    zero, two = network[0], network[2]
    _, to_zero = sessions.join(options(zero), f"hypergossip/{zero.run}/**")
    far, _ = sessions.join(options(two, connect=[zero.listen]))
    assert not sent_until(far, key_to(zero.run, 2, 0), b"far", to_zero, 2)
    assert not sent_until(far, key_to(zero.run, 1, 0), b"forged", to_zero, 1)


def test_the_observer_reads_reports_alone_and_is_not_heard(network, sessions):
    zero = network[0]
    folder = zero.certificates.certificate.parents[1] / "watch"
    file = plan_file.read(folder / "watch.toml")
    config = settings(
        ["tls/127.0.0.1:0"],
        [one.address for one in file.agents if one.number == 0],
        run=file.run,
        certificates=file.certificates,
        names={one.name: one.number for one in file.agents},
    )
    agent, to_zero = sessions.join(options(zero), f"hypergossip/{zero.run}/**")
    observer, seen = sessions.join(config, f"hypergossip/{zero.run}/**")
    until = time.monotonic() + 20
    while time.monotonic() < until and not seen:
        agent.put(key_to(zero.run, 0, 1), b"secret")
        agent.put(key_of_status(zero.run, 0), b"report")
        time.sleep(0.05)
    assert {key for key, _ in seen} == {key_of_status(zero.run, 0)}
    to_zero.clear()
    observer.put(key_to(zero.run, 1, 0), b"forged")
    observer.put(key_to(zero.run, 0, 1), b"forged")
    time.sleep(0.5)
    assert to_zero == []


def test_addresses_of_a_deployment_on_several_machines_are_checked(tmp_path, sessions, network):
    """A certificate for another host is not accepted at this one, even from the right authority."""
    hosts = "".join(f'[[agents]]\nname = "agent-{i}"\nhost = "host-{i}.example.org"\n' for i in range(4))
    deployed(tmp_path, PLAN + hosts)
    made = []
    for i in (0, 1):
        with agent_settings(tmp_path / f"out/agent-{i}/agent.toml") as own:
            made.append(own)
    zero, one = made
    here = [network[0].listen, network[1].listen]
    _, to_zero = sessions.join(options(zero, listen=[here[0]], connect=[]), f"hypergossip/{zero.run}/**")
    other, _ = sessions.join(options(one, listen=[here[1]], connect=[here[0]]))
    assert not sent_until(other, key_to(zero.run, 1, 0), b"wrong host", to_zero, 2)
