"""One agent of a network, which runs by itself until its last round."""

import logging
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from hypergossip.peers import agent_checkpoint
from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import AgentSettings
from hypergossip.peers.exchange import Stopped
from hypergossip.peers.greeting import FINISHED, LEAVING
from hypergossip.peers.invariant import Invariant
from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.link_settings import settings as link_settings
from hypergossip.peers.openings import Openings, metropolis_weights
from hypergossip.peers.own_program import OwnProgram
from hypergossip.peers.reports import ADVICE_SECONDS, REPORT_SECONDS, Reports
from hypergossip.support.interrupts import Interrupted, Interrupts

LOG = logging.getLogger("hypergossip.agent")
AGREEMENT_SECONDS = 1.0
START_SECONDS = 60.0  # under "deadline" and "quorum", after which the rounds begin without those who are not there
MEASURED_SHARE = 0.05  # of the time, at most, is spent on measuring losses


def run_agent(
    settings: AgentSettings,
    faults: Mapping[int, LinkFaults] | None = None,
    on_round: Callable[[int, Any, OwnProgram], object] | None = None,
) -> Any:
    """Runs an agent until its last round, and returns its state; started again, it returns from its checkpoint.

    Args:
        settings: The agent.
        faults: Artificial faults of the messages to the neighbours, for tests.
        on_round: A function of the number of completed rounds, the state and the programs, called after every round.

    Raises:
        ValueError: If the agent cannot run.
        ArithmeticError: If its state is no longer finite.
        Interrupted: At SIGINT or SIGTERM, after the checkpoint is written; the message names the signal.
    """
    with Interrupts(True) as interrupts:
        agent = RunningAgent(settings, faults, on_round)
        agent.links.exchange.stopping = lambda: interrupts.pending is not None
        try:
            return agent.run()
        except Stopped:
            number = interrupts.pending or signal.SIGINT
            by, round = signal.Signals(number).name, agent.links.round
            raise Interrupted(f"{by}: {settings.name} has stopped at round {round}.", number) from None
        finally:
            agent.close()


class RunningAgent:
    """An agent that runs by itself.

    Attributes:
        links: Its links.
    """

    def __init__(
        self,
        settings: AgentSettings,
        faults: Mapping[int, LinkFaults] | None = None,
        on_round: Callable[[int, Any, OwnProgram], object] | None = None,
    ) -> None:
        """Compiles the round and opens the links.

        Args:
            settings: The agent.
            faults: Artificial faults of the messages to the neighbours.
            on_round: As for `run_agent`.
        """
        self._on_round = on_round or (lambda *_: None)
        self._settings = settings
        self._program = OwnProgram(settings)
        self._state = self._program.begin()
        self._program.prepare(self._state)
        names = {one.number: one.name for one in settings.neighbours}
        config = link_settings(
            [settings.listen],
            [one.address for one in settings.neighbours],
            run=settings.run,
            certificates=settings.certificates,
            names={name: number for number, name in names.items()},
            observers=settings.observers,
            loopback=settings.loopback,
        )
        self.links = AgentLinks(
            number=settings.number,
            run=settings.run,
            config=config,
            neighbours=names,
            sizes=self._program.sizes,
            degree=len(names),
            seeds=1,
            digest=self._program.digest,
            policy=settings.policy,
            dated=True,
            opening=None,
            sums=self._program.channel is not None,
            faults=faults,
            weights={one.number: one.weight for one in settings.neighbours},
        )
        self._written, self._measure_at, self._degrees = time.monotonic(), 0.0, dict[int, int]()
        self._invariant = Invariant(settings, self.links, self._program) if self._program.conserves else None
        self._reports = Reports(settings, self.links, lambda: self._program.weights, self._invariant)

    def run(self) -> Any:
        """Runs until the last round, and returns the state of the method.

        Raises:
            Stopped: If the agent is stopped before.
        """
        settings, links = self._settings, self.links
        agents = self._agents()
        kept = agent_checkpoint.read(settings.state, settings.run, self._program.digest, agents)
        if kept is not None:
            self._state = self._program.restarted(self._program.linked(kept.agents))
        first = self._meet(0 if kept is None else kept.round)
        links.round = first
        openings = Openings(settings.number, links, first)
        links.exchange.not_awaited, links.exchange.round_of = openings.not_awaited, links.greetings.round_of
        self._join(openings, first)
        self._set_weights(openings)
        if self._invariant is not None:
            self._invariant.begin(openings, first)
        self._reports.begin()
        LOG.info("%s begins at round %d of %d", settings.name, first, settings.rounds)
        for round in range(first, settings.rounds):
            self._update_links(openings, round)
            self._state = self._round(round)
            links.round = round + 1
            self._check_finite(round)
            self._on_round(round + 1, self._state, self._program)
            self._keep(round + 1)
            self._measure()
        self._finish()
        return self._agents()

    def close(self) -> None:
        """Says farewell and closes the links."""
        if self._reports.phase != "finished":
            self.links.greetings.flags |= LEAVING
            self.links.greetings.send_to_all()
            self._reports.phase = "failed"
        self._reports.close()
        if self._invariant is not None:
            self._invariant.close()
        self.links.close()

    def _agents(self) -> Any:
        return self._state.agents if self._program.channel is not None else self._state

    def _meet(self, round: int) -> int:
        """Waits for the neighbours; returns the round at which the agent begins."""
        settings, greetings, began = self._settings, self.links.greetings, time.monotonic()
        advised = began
        while True:
            absent = greetings.unconnected(0.25)
            if self.links.exchange.stopping():
                raise Stopped
            reached = max((greetings.round_of(j) for j in greetings.names if greetings.connected(j)), default=0)
            patient = settings.policy.name == "wait" or time.monotonic() - began < START_SECONDS
            someone = len(absent) < len(greetings.names)
            # A network that runs already, or an agent that returns to it, waits for nobody.
            if not absent:
                self._reports.alarm = ""
            if not absent or (someone and (reached > 0 or round > 0 or not patient)):
                return max(round, reached)
            if time.monotonic() - advised > ADVICE_SECONDS:
                advised = time.monotonic() + 5 * ADVICE_SECONDS
                self._advise(absent)

    def _advise(self, absent: list[int]) -> None:
        for one in self._settings.neighbours:
            if one.number in absent and one.number not in self.links.greetings.mismatched:
                self._reports.alarm = (
                    f"no answer from {one.name} at {one.address}: it has not started, or one of the two refuses the "
                    "other's certificate; check the address, and that both certificates are of the same authority, "
                    "not expired, and name this agent and its host."
                )
                LOG.warning(self._reports.alarm)

    def _set_weights(self, openings: Openings) -> None:
        self._degrees = dict(openings.degrees)
        if not self.links.greetings.unconnected(0.0):
            self._reports.alarm = ""  # of one that was absent at the start
        given = {one.number: one.weight for one in self._settings.neighbours}
        self._program.set_weights(metropolis_weights(len(given), openings.degrees, given))

    def _join(self, openings: Openings, first: int) -> None:
        """Waits until the neighbours that are there have agreed on when their links open.

        One that is in the middle of a round agrees only after it, and may be waiting for this agent through others; so
        one agreement suffices after a short time.
        """
        began = time.monotonic()
        while not self.links.exchange.stopping():
            openings.update(first)
            there = [j for j in self.links.greetings.names if self.links.greetings.connected(j)]
            there = [j for j in there if not self.links.greetings.finished(j)]
            links = self.links.exchange.links
            agreed = [j for j in there if links[j].opening is not None and not openings.not_awaited(j)]
            late = first > 0 and time.monotonic() - began > AGREEMENT_SECONDS
            if len(agreed) == len(there) or (agreed and late):
                return
            time.sleep(0.02)
        raise Stopped

    def _update_links(self, openings: Openings, round: int) -> None:
        """Opens and closes links; waits where no neighbour is there, because the agent would run on by itself."""
        greetings, exchange = self.links.greetings, self.links.exchange
        closed = lambda j: exchange.links[j].opening is None or openings.not_awaited(j)
        self._open_and_close(openings, round)
        while greetings.names and all(map(closed, greetings.names)):
            if exchange.stopping() or all(map(greetings.has_finished, greetings.names)):
                break
            exchange.waiting_for = tuple(greetings.names)
            exchange.pause()
            time.sleep(0.02)
            self._open_and_close(openings, round)
        exchange.waiting_for = ()

    def _open_and_close(self, openings: Openings, round: int) -> None:
        closed = openings.update(round)
        if closed:
            rows = np.zeros(len(self.links.exchange.links), bool)
            for j in closed:
                rows[self.links.exchange.links[j].row] = True
                LOG.warning("round %d: the link to %s is closed", round, self.links.greetings.names[j])
            self._state = self._program.without_links(self._state, rows)
        # Only now: what a link has added was added with its earlier weight, and a neighbour that returns may have more.
        if openings.degrees != self._degrees:
            self._set_weights(openings)

    def _round(self, round: int) -> Any:
        """Returns the state after a round; an agent that stops, even in the middle of a round, keeps the one before.

        Raises:
            Stopped: If the agent stops.
        """
        exchange = self.links.exchange
        try:
            if exchange.stopping():
                raise Stopped
            if self._invariant is not None and self._invariant.due(round):
                return self._invariant.round(round, self._state)
            return self._program.round(round, self._state, exchange.transfer(0, round))
        except Exception:  # a round that calls back for its messages has an error of JAX in the place of `Stopped`
            if not exchange.stopping():
                raise
            self._keep(round, at_once=True)
            raise Stopped from None

    def _check_finite(self, round: int) -> None:
        if not all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(self._agents())):
            self._reports.alarm = f"the state is no longer finite after round {round}"
            raise ArithmeticError(
                f"{self._settings.name}: the state is no longer finite after round {round}; the step sizes are "
                "probably too large for the losses (halve them)."
            )

    def _keep(self, round: int, at_once: bool = False) -> None:
        settings = self._settings
        if settings.state is None or not (at_once or time.monotonic() - self._written > settings.checkpoint_every):
            return
        agent_checkpoint.write(settings.state, settings.run, self._program.digest, round, self._agents())
        self._written = time.monotonic()

    def _measure(self) -> None:
        begin = time.monotonic()
        if begin < self._measure_at:
            return
        self._reports.losses = self._program.losses(self._agents())
        took = time.monotonic() - begin
        self._measure_at = begin + max(REPORT_SECONDS, took / MEASURED_SHARE)

    def _finish(self) -> None:
        """Writes the last checkpoint, and stays until the neighbours need nothing more."""
        self._keep(self._settings.rounds, at_once=True)
        self._reports.phase = "finished"
        greetings = self.links.greetings
        greetings.flags |= FINISHED
        greetings.send_to_all()
        while not all(greetings.finished(j) for j in greetings.names) and not self.links.exchange.stopping():
            time.sleep(0.05)
        time.sleep(0.2)  # for the last greetings
