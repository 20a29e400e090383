"""What a run is compared with: a record, shifted by a round where version 0.1.0 reported points a round late."""

import re
from typing import NamedTuple

import numpy as np

from recorded.cases import CASES, Numbers
from recorded.table import TOLERANCE, difference


class Late(NamedTuple):
    """By how many rounds version 0.1.0 reported a method's points later than the library does now.

    In it the state of CAC (and so DAC) and of Dif-MAML was cut before the combination that ends the papers' round, so
    that what is x after t rounds as printed stood in x after t + 1. CAC's y likewise; Dif-MAML's y is the last round's
    inner step in both. What a round costs and sends is the same, and not late.
    """

    x: int = 0
    y: int = 0


LATE = {"DAC": Late(1, 1), "CAC": Late(1, 1), "DifMAML": Late(1, 0)}
OF_X = ("stationarity", "consensus_error", "return")
OF_Y = ("lower_consensus_error",)
OF_BOTH = ("lower_error", "metric", "upper_loss")
POINT = re.compile(r"([xy]) after (\d+)")


def lateness(name: str) -> Late:
    """By how much the record of a case is late: runs that draw nothing are of version 0.1.0, the others are newer."""
    return Late() if CASES[name].draws else LATE.get(method_of(name), Late())


def expected(numbers: Numbers, late: Late) -> Numbers:
    """The recorded numbers that are to be seen now, under the names and in the rows where they are to be seen.

    Points were recorded after a few rounds only, and a late one is compared where the round before was recorded, too;
    a measure of x and y where both are equally late.
    """
    found: Numbers = {}
    for name, table in numbers.items():
        point, column = POINT.fullmatch(name), name.removeprefix("column ")
        if point is not None:
            level, rounds = point[1], int(point[2])
            now = f"{level} after {rounds - getattr(late, level)}"
            found |= {now: table} if now in numbers else {}
        elif column in OF_X or (column in OF_BOTH and late.x == late.y):
            found[name] = table[late.x :]
        elif column in OF_Y:
            found[name] = table[late.y :]
        elif column not in OF_BOTH:
            found[name] = table
    return found


def method_of(name: str) -> str:
    """The method of a case."""
    return re.split("[-,]", name)[0]


def far(now: Numbers, then: Numbers) -> dict[str, float]:
    """The tables that are not what they should be, and by how much; a row that was not recorded is not looked at."""
    apart = {name: difference(now[name][: len(table)], table) for name, table in then.items() if name in now}
    apart |= {name: np.inf for name in then if name not in now}
    return {name: by for name, by in apart.items() if not by <= TOLERANCE}
