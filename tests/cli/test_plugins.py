"""Another distribution adds an algorithm, a network and a problem; nothing of ours is touched."""

import sys

import pandas as pd
import pytest
from calling import call, refused

from hypergossip.support.registry import find

MODULE = '''
"""Somebody's package."""

import hypergossip as hg
from hypergossip.core.algorithm import register


@register
class Lazy(hg.DSGD):
    """D-SGD under another name."""


def triangle(weights: str = "metropolis"):
    """Three agents, everyone joined with everyone."""
    return hg.networks.complete(3, weights)


def small(agents: int, slope: float = 1.0):
    """A quadratic of somebody's own."""
    return hg.problems.quadratic(agents, 2, 2, heterogeneity=slope)
'''
ENTRY_POINTS = """
[hypergossip.algorithms]
lazy-sgd = somebody_else:Lazy
gone = somebody_else:Gone
[hypergossip.networks]
triangle = somebody_else:triangle
ring = somebody_else:triangle
[hypergossip.problems]
small = somebody_else:small
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    information = tmp_path / "somebody_else-1.0.dist-info"
    information.mkdir()
    (tmp_path / "somebody_else.py").write_text(MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody-else\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("somebody_else", None)


@pytest.mark.usefixtures("installed")
def test_it_is_listed_and_runs_by_name(tmp_path):
    listed = call("list").stdout
    assert "lazy-sgd\talgorithms\tD-SGD under another name.\n" in listed
    assert "triangle\tnetworks\tThree agents, everyone joined with everyone.\n" in listed
    options = {"upper_step": 0.1, "lower_step": 0.1, "hypergradient": "exact"}
    sets = [text for name, value in options.items() for text in ("--set", f"methods.lazy-sgd.{name}={value}")]
    result = call(
        *("run", "--problem", "small", "--network", "triangle", "--method", "lazy-sgd", "--rounds", 3, *sets),
        *("--set", "problem.slope=0.5", "--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    assert pd.read_parquet(tmp_path / "out" / "history.parquet")["round"].max() == 3
    more = ("--problem", "small", "--network", "triangle", "--method", "lazy-sgd", "--rounds", 3, *sets)
    assert "'slope'" in refused(call("run", *more, "--set", "problem.slop=0.5", "--out", tmp_path / "other"))


@pytest.mark.usefixtures("installed")
def test_what_cannot_be_used_says_so_and_spoils_nothing_else():
    listed = call("list", "algorithms").stdout
    assert "gone\tunusable" in listed
    assert "diamond\tDecentralized" in listed
    with pytest.raises(ValueError, match="cannot be imported from somebody_else:Gone"):
        find("algorithms", "gone")
    with pytest.raises(ValueError, match=r"claimed by hypergossip\.networks:ring and somebody_else:triangle"):
        find("networks", "ring")


def test_names_are_found_however_they_are_written():
    assert find("algorithms", "D-SGD") is find("algorithms", "dsgd")
    assert find("algorithms", "SVR-Interact") is find("algorithms", "svr_interact")
