"""The history of an agent in bounded memory: when it is full, every second sample is left out."""

from typing import NamedTuple

from hypergossip.lab.watching.reports import Report

LIMIT = 512


class Sample(NamedTuple):
    """A moment of an agent's history.

    Attributes:
        time: When the report came, in seconds since the watching began.
        round: The number of completed rounds.
        upper_loss: f of its own data; None if the problem has no losses.
        lower_loss: g likewise.
        invariant: The network's conserved sum as it knows it; None if unknown.
        bytes_sent: The bytes handed to the network.
        bytes_received: The bytes received from it.
        lag: How many rounds the neighbour that is furthest behind is behind.
    """

    time: float
    round: int
    upper_loss: float | None
    lower_loss: float | None
    invariant: float | None
    bytes_sent: int
    bytes_received: int
    lag: int


def sample_of(report: Report, time: float) -> Sample:
    """Returns what the history keeps of a `report` that came at a `time`."""
    r = report
    lag = max((link.lag for link in r.links), default=0)
    return Sample(time, r.round, r.upper_loss, r.lower_loss, r.invariant, r.bytes_sent, r.bytes_received, lag)


class History:
    """Samples over time, at most `limit` of them, evenly thinned out, always with the latest.

    Args:
        limit: The largest number of samples, 4 or more.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._kept: list[Sample] = []
        self._latest: Sample | None = None

    def append(self, sample: Sample) -> None:
        """Adds a `sample`."""
        if self._seen % self._stride == 0:
            self._kept.append(sample)
            if len(self._kept) >= self._limit:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1
        self._latest = sample

    def rows(self) -> list[Sample]:
        """Returns the samples from the oldest to the latest."""
        if self._latest is None or self._kept[-1] is self._latest:
            return list(self._kept)
        return [*self._kept, self._latest]
