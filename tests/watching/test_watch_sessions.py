"""Watching real sessions under mutual TLS, from the collector and from the command line."""

import os
import signal
import subprocess
import sys
import time

import pytest
from small_network import NAMES, ROUNDS, RUN, Agents, status
from typer.testing import CliRunner

from hypergossip.lab.cli import app
from hypergossip.lab.watching import advice, plan_file, reports
from hypergossip.lab.watching.collector import LARGEST, Collector


def until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)
    return value


def call(*arguments):
    return CliRunner().invoke(app, ["watch", *map(str, arguments)])


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    with Agents(tmp_path_factory.mktemp("network"), 4) as running:
        yield running


@pytest.fixture
def collector(agents):
    with Collector(plan_file.read(agents.config)) as collector:
        until(lambda: collector.connections() == 4)
        yield collector


def test_reports_of_all_agents_arrive(agents, collector):
    with agents.running(finish=100):
        until(lambda: collector.view().heard == 4)
        until(lambda: all(view.rate and view.report.round > 20 for view in collector.view().agents))
        until(lambda: all(len(rows) > 3 for rows in collector.histories().values()))
    assert collector.view().refused == {}


def test_malformed_and_oversized_reports_change_nothing(agents, collector):
    for _ in range(200):
        agents.send(1, b"\x00" * 100)
    agents.send(1, b" " * (LARGEST + 1))  # is not even received

    # Zenoh may drop a report while the queue is full, so each is sent until it has come, as a real agent does.
    def oversized() -> bool:
        agents.send(1, b" " * (reports.MAX_BYTES + 1))
        return collector.view().refused.get(reports.OVERSIZED, 0) >= 1

    def reported() -> bool:
        agents.report(agents.status(1))
        return collector.view().agents[1].report is not None

    def malformed() -> bool:
        agents.send(1, b"\x00" * 100)
        return collector.view().refused.get(reports.MALFORMED, 0) >= 1

    until(oversized)
    until(malformed)
    until(reported)


def test_a_certificate_reports_for_its_own_agent_alone(agents, collector):
    agents.report(status(1, (), name="rome"), under=0)  # by rome, as if paris had sent it
    agents._sessions[0].put(f"hypergossip/{RUN}/1/status", b"forged by paris")

    def reported() -> bool:
        agents.report(agents.status(0))
        return collector.view().heard == 1

    until(reported)
    assert [view.refused for view in collector.view().agents] == [0, 0, 0, 0]


def test_one_report_from_the_command_line(agents):
    with agents.running(finish=100):
        result = call("--config", agents.config, "--once")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == list(NAMES[:4])
    assert all("running" in line for line in lines[:4])
    assert lines[4].startswith("4 agents: 4 running")


def test_watching_ends_by_itself_when_all_have_finished(agents):
    with agents.running(seconds=0.05):
        result = call("-c", agents.config)
    assert result.exit_code == 0, result.output
    assert f"round {ROUNDS} of {ROUNDS}" in result.stdout
    assert "paris: finished" in result.stdout


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr(advice, "PATIENCE", 0.6)
    result = call("-c", Agents(tmp_path, 3).config, "--once")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "start the agents, and check the addresses" in result.stderr


def test_a_certificate_of_another_network(agents, tmp_path, monkeypatch):
    monkeypatch.setattr(advice, "PATIENCE", 0.6)
    stranger = Agents(tmp_path, 4)
    text = stranger.config.read_text()
    for own, other in zip(stranger.addresses, agents.addresses):
        text = text.replace(own, other)
    stranger.config.write_text(text)
    result = call("-c", stranger.config, "--once")
    assert result.exit_code == 2
    assert "check the certificate" in result.stderr


def test_connected_and_no_reports(agents, monkeypatch):
    monkeypatch.setattr(advice, "PATIENCE", 0.6)
    result = call("-c", agents.config, "--once")
    assert result.exit_code == 2
    assert "4 of 4 agents are connected and none reports" in result.stderr


def test_options_that_exclude_each_other_and_a_missing_file(agents, tmp_path):
    result = call("-c", agents.config, "--once", "--web")
    assert result.exit_code == 2
    assert "give one of them" in result.stderr
    assert "does not exist" in call("-c", tmp_path / "watch.toml").stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_good_order(agents, number, code):
    command = [sys.executable, "-u", "-m", "hypergossip", "watch", "-c", str(agents.config), "--web"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Open http://127.0.0.1:")
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == code
    assert errors.splitlines() == [
        f"hypergossip: {number.name}; nothing is watched any more, and the agents run as before."
    ]
