"""Another distribution adds an algorithm, a network and a problem without any change to this library."""

import sys

import pandas as pd
import pytest

from calling import call, done, refused
from hypergossip.support.registry import find

MODULE = '''
"""Another package."""

import hypergossip as hg
from hypergossip.core.algorithm import register


@register
class Lazy(hg.DSGD):
    """D-SGD under another name."""


def triangle(weights: str = "metropolis"):
    """Three agents, all of them neighbours."""
    return hg.networks.complete(3, weights)


def small(agents: int, slope: float = 1.0):
    """A quadratic of another package."""
    return hg.problems.quadratic(agents, 2, 2, heterogeneity=slope)


def jamming(probability: float = 0.5):
    """Losses of another package."""
    return hg.channels.Loss(probability)
'''
ENTRY_POINTS = """
[hypergossip.algorithms]
lazy-sgd = other_package:Lazy
gone = other_package:Gone
[hypergossip.networks]
triangle = other_package:triangle
ring = other_package:triangle
[hypergossip.problems]
small = other_package:small
[hypergossip.channels]
jamming = other_package:jamming
triangle = other_package:triangle
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    information = tmp_path / "other_package-1.0.dist-info"
    information.mkdir()
    (tmp_path / "other_package.py").write_text(MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("other_package", None)


@pytest.mark.usefixtures("installed")
def test_an_added_method_is_listed_and_runs_by_name(tmp_path):
    listed = call("list").stdout
    assert "lazy-sgd\talgorithms\tD-SGD under another name.\n" in listed
    assert "triangle\tnetworks\tThree agents, all of them neighbours.\n" in listed
    options = {"upper_step": 0.1, "lower_step": 0.1, "hypergradient": "exact"}
    sets = [text for name, value in options.items() for text in ("--set", f"methods.lazy-sgd.{name}={value}")]
    run = ("run", "--problem", "small", "--network", "triangle", "--method", "lazy-sgd", "--rounds", 3, *sets)
    done(*run, "--set", "problem.slope=0.5", "--out", tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out" / "history.parquet")["round"].max() == 3
    channel = ("--set", 'channel=[{name = "jamming"}]', "--out", tmp_path / "jammed")
    assert done(*run, *channel).stdout.startswith("channel: jamming\n")
    assert "which is not a stage of a channel" in refused(call(*run, "--set", 'channel=[{name = "triangle"}]'))
    assert "'slope'" in refused(call(*run, "--set", "problem.slop=0.5", "--out", tmp_path / "other"))


@pytest.mark.usefixtures("installed")
def test_an_unusable_entry_point_is_reported_and_affects_nothing_else():
    listed = call("list", "algorithms").stdout
    assert "gone\tunusable" in listed
    assert "diamond\tDecentralized" in listed
    with pytest.raises(ValueError, match="cannot be imported from other_package:Gone"):
        find("algorithms", "gone")
    with pytest.raises(ValueError, match=r"claimed by hypergossip\.networks:ring and other_package:triangle"):
        find("networks", "ring")


def test_names_are_found_in_several_spellings():
    assert find("algorithms", "D-SGD") is find("algorithms", "dsgd")
    assert find("algorithms", "SVR-Interact") is find("algorithms", "svr_interact")
