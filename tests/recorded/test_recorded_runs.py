"""Every method still does, on every engine, what was recorded: points, measures, counts and bytes, to 1e-12.

Runs that draw nothing were recorded with version 0.1.0. Those that draw were recorded again when the random streams
changed, with a library that passed this test on the streams of version 0.1.0.
"""

import re
from functools import cache

import numpy as np
import pytest

import hypergossip as hg
from recorded.cases import CASES, ENGINES, SEED
from recorded.comparison import OF_BOTH, OF_X, OF_Y, POINT, Late, expected, far, lateness, method_of
from recorded.table import SMALLEST, TOLERANCE, read

PAIRS = [(place, name) for name, case in CASES.items() for place in case.engines]
reading = cache(read)


@pytest.mark.parametrize(("place", "name"), [pytest.param(*pair, id=f"{pair[1]}-{pair[0]}") for pair in PAIRS])
def test_a_run_is_what_was_recorded(place, name):
    case, (records, _) = CASES[name], reading()
    kept = case.record or name
    then = expected(records.get(f"{kept} on {place}", records[kept]), lateness(name))
    apart = far(case.run(ENGINES[place], SEED), then)
    worst = max(apart, key=lambda table: apart[table], default="")
    assert not apart, (
        f"{name}, on {place}: {worst} is {apart[worst]:.2g} (relative to its largest number) off what version 0.1.0 "
        f"computed, and {len(apart)} of {len(then)} tables are more than {TOLERANCE:g} off: {', '.join(apart)}"
    )


def test_all_that_is_recorded_is_compared():
    records, about = reading()
    used = {CASES[name].record or name for name in CASES}
    assert {re.sub(f" on ({'|'.join(ENGINES)})$", "", name) for name in records} == used
    assert about["deterministic"]["hypergossip"] == "0.1.0"


def test_every_method_is_recorded():
    """All 24 of version 0.1.0; one that came later has nothing to be held to."""
    assert {method_of(name) for name in CASES} <= {*hg.__all__}
    assert len({method_of(name) for name in CASES}) == 24


def test_a_late_round_is_compared_with_the_one_after():
    """A recursion, reported a round late, is what is expected of one that is not; and not of itself."""
    points = 0.5 ** np.arange(7.0)
    now = {f"{level} after {t}": points[t] * np.ones((1, 2)) for t in (5, 6) for level in "xy"}
    now |= {f"column {name}": points[:, None] for name in (*OF_X, *OF_Y, *OF_BOTH)}
    now["column samples"] = np.arange(7.0)[:, None]
    held = np.append(points[0], points[:-1])  # 0.1.0: the start again after a round, then everything a round later
    then = {f"{level} after {t}": held[t] * np.ones((1, 2)) for t in (5, 6) for level in "xy"}
    then |= {f"column {name}": held[:, None] for name in (*OF_X, *OF_Y, *OF_BOTH)}
    then["column samples"] = now["column samples"]
    assert far(now, expected(then, Late(1, 1))) == {}
    assert {"x after 5", "y after 5", "column metric"} <= far(now, expected(then, Late())).keys()
    half = then | {name: table for name, table in now.items() if name[0] == "y" or name.endswith(OF_Y)}
    assert far(now, expected(half, Late(1, 0))) == {}
    assert not {f"column {name}" for name in OF_BOTH} & expected(half, Late(1, 0)).keys()


@pytest.mark.parametrize("name", [name for name in CASES if method_of(name) in ("DAC", "CAC", "DifMAML")])
def test_enough_is_recorded_to_compare_a_late_round(name):
    compared = expected(reading()[0][CASES[name].record or name], Late(1, 1))
    assert {"x", "y"} <= {table[0] for table in compared if POINT.fullmatch(table)}


@pytest.mark.parametrize("by", [1e-10, np.nan])
def test_what_is_off_is_seen(by):
    records, _ = reading()
    numbers = records["Diamond, noisy"]
    large = {name: table for name, table in numbers.items() if np.abs(table).max() > SMALLEST}
    assert {"column metric", "column stationarity", "x after 5"} <= large.keys()
    for name, table in large.items():
        moved = table.copy()
        moved[np.unravel_index(np.abs(table).argmax(), table.shape)] *= 1 + by
        assert list(far(numbers | {name: moved}, numbers)) == [name]
    assert len(far({}, numbers)) == len(numbers)
