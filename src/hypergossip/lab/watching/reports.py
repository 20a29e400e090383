"""What an agent's report must look like. A report comes from the network, so that nothing in it is trusted."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

MAX_BYTES = 65_536  # of a report; an agent with a hundred neighbours needs a third of it
MAX_REASONS = 32
MAX_LINKS = 512

OVERSIZED = "larger than a report may be"
MALFORMED = "not a valid report"


class BadReport(ValueError):
    """A report cannot be used. Its text is the short reason under which it is counted."""


def visible(text: str) -> str:
    """Returns a text in which characters that command a terminal or turn the writing direction are replaced.

    Args:
        text: The text.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


Count = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, Field(max_length=100), AfterValidator(visible)]
Reasons = Annotated[dict[Name, Count], Field(max_length=MAX_REASONS)]


# An agent of a later version may report more than this one knows.
_STRICT = ConfigDict(extra="ignore", strict=True, frozen=True)


class LinkReport(BaseModel):
    """A link of an agent, as `peers.agent_settings.LinkStatus` describes it."""

    model_config = _STRICT

    name: Name
    number: Annotated[int, Field(ge=0, lt=2**32)]
    open: bool
    round: Annotated[int, Field(ge=-1, lt=2**32)]
    lag: Annotated[int, Field(gt=-(2**32), lt=2**33)]
    weight: float
    received: Count
    missed: Count
    dropped: Reasons


class Report(BaseModel):
    """An agent's report on itself, as `peers.agent_settings.Status` describes it."""

    model_config = _STRICT

    name: Name
    number: Annotated[int, Field(ge=0, lt=2**32)]
    state: Literal["starting", "running", "waiting", "finished", "failed"]
    round: Annotated[int, Field(ge=0, lt=2**32)]
    rounds: Annotated[int, Field(ge=0, lt=2**32)]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    upper_loss: float | None
    lower_loss: float | None
    bytes_sent: Count
    bytes_received: Count
    policy: Name
    invariant: float | None
    alarm: Annotated[str, Field(max_length=1_000), AfterValidator(visible)]
    dropped: Reasons
    links: Annotated[list[LinkReport], Field(max_length=MAX_LINKS)]
    invariant_round: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    conserves: bool | None = None


def check(payload: bytes) -> Report:
    """Returns a report that has been checked completely.

    Args:
        payload: What has come.

    Raises:
        BadReport: If it is too large or not as expected.
    """
    if len(payload) > MAX_BYTES:
        raise BadReport(OVERSIZED)
    try:
        return Report.model_validate_json(payload)
    except ValidationError:
        raise BadReport(MALFORMED) from None


def missed(report: Report) -> int:
    """Returns in how many rounds the agent of a `report` did not wait for a neighbour, over all neighbours."""
    return sum(link.missed for link in report.links)


def dropped(report: Report) -> dict[str, int]:
    """Returns how often the agent of a `report` dropped a message, by reason, over all links."""
    total: dict[str, int] = {}
    for part in (report.dropped, *(link.dropped for link in report.links)):
        for reason, count in part.items():
            total[reason] = total.get(reason, 0) + count
    return total


def finite(number: float | None) -> Any:
    """Returns a `number` as JSON knows it: infinities and NaN as text."""
    return number if number is None or abs(number) < float("inf") else str(number)
