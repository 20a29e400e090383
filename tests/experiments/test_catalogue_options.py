"""Every option of every experiment exists: everything is built as in a run, except for the data of the problem."""

import tomllib
from dataclasses import replace
from functools import wraps

import pytest

import hypergossip as hg
from hypergossip.lab import build as building
from hypergossip.lab.assignment import assign
from hypergossip.lab.configuration import Source, validate
from hypergossip.lab.experiments.catalogue import find, names
from hypergossip.lab.toml_text import write_toml
from hypergossip.support.registry import find as look_up

NOWHERE = Source("", "")


@pytest.fixture
def without_data(monkeypatch):
    """Problems whose options are checked against the real signature, but which are not built."""
    stand_in = hg.problems.quadratic(1)

    def without(kind, name):
        constructor = look_up(kind, name)
        return wraps(constructor)(lambda **_: stand_in) if kind == "problems" else constructor

    monkeypatch.setattr(building, "find", without)


def build(experiment):
    """Builds every case, quick or not, with the paper's step sizes and with a point of the grid."""
    for case in experiment.cases:
        for quick in (False, True):
            for methods in filter(None, (experiment.stated, experiment.methods)):
                raw = experiment.configuration(case, methods, quick, {})
                assert tomllib.loads(write_toml(raw)) == raw
                grid = raw["tune"]["grid"] if methods is experiment.methods else {}
                for label in raw["methods"]:
                    for name, values in grid.items():
                        raw = assign(raw, ("methods", label, *name.split(".")), values[0])
                building.build(validate(raw, NOWHERE), NOWHERE)


@pytest.mark.parametrize("name", names())
def test_every_option_of_an_experiment_exists(without_data, name):
    build(find(name))


def test_experiments_and_cases_are_found_by_their_names_and_by_those_of_version_0_1():
    earlier = {"D1": "diamond-fig1", "d4": "diamond-fig4", "S2": "slam-fig2", "C1": "hypercleaning-samples"}
    assert {name: find(name).name for name in earlier} == earlier
    assert set(earlier.values()) | {"diamond-fig2", "diamond-fig3"} <= set(names())
    assert find("D1").chosen(["mnist-uneven"]) == find("diamond-fig1").chosen(["mnist-noniid"])
    chosen = find("diamond-fig3").chosen(["15-agents-0.8"]).cases
    assert [case.name for case in chosen] == ["9-agents-0.3", "15-agents-0.8"]


def misspelt_case(section, option):
    case = find("diamond-fig1").cases[-1]
    return {"cases": (case._replace(**{section: {**getattr(case, section), option: 1}}),)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (misspelt_case("problem", "sampels"), "'sampels'; did you mean 'samples'"),
        (misspelt_case("network", "wieghts"), "'wieghts'; did you mean 'weights'"),
        ({"quick": {"problem.dirichelt": 1.0}}, "'dirichelt'; did you mean 'dirichlet'"),
        ({"run": {"rounds": 10, "observe_evry": 1}}, "'observe_evry'"),
        ({"tune": {"scores": "metric"}}, "'scores'"),
        ({"grid": {"uper_step": [0.1]}}, "'uper_step'; did you mean 'upper_step'"),
        ({"grid": {"upper_step.scael": [0.1]}}, "'scael'"),
        ({"stated": {"D-SGD": {"algorithm": "dsdg"}}}, "'dsdg'"),
    ],
)
def test_a_misspelt_option_is_found(without_data, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(replace(find("diamond-fig1"), **changes))
