"""A number that a problem cannot have is refused by its name, whatever was given for it."""

import numpy as np
import pytest

import hypergossip as hg
from hypergossip import problems

SMALL = {"samples": (50, 20), "batch_size": 5}
OPTIONS = {
    "data_cleaning": {"data": "digits", "agents": 3, **SMALL},
    "hyperparameter": {"data": "digits", "agents": 3, "batch_size": 5},
    "meta_learning": {"data": "digits", "agents": 3, **SMALL},
    "sinusoids": {"agents": 3, "tasks": 2, "shots": 3, "held_out_tasks": 2, "widths": (3,)},
    "quadratic": {"agents": 3},
}
COUNTS = {
    "data_cleaning": ("agents", "sources", "batch_size"),
    "hyperparameter": ("agents", "batch_size"),
    "meta_learning": ("agents", "batch_size"),
    "sinusoids": ("agents", "tasks", "shots", "held_out_tasks", "inner_steps", "batch_size"),
    "quadratic": ("agents", "upper_dimension", "lower_dimension"),
}
NUMBERS = {
    "data_cleaning": ("corrupted", "scale", "regularization", "dirichlet"),
    "hyperparameter": ("dirichlet",),
    "meta_learning": ("regularization", "dirichlet"),
    "sinusoids": ("inner_step", "proximity"),
    "quadratic": ("heterogeneity", "curvature_heterogeneity", "noise"),
}
CASES = [(problem, name, True) for problem, names in COUNTS.items() for name in names]
CASES += [(problem, name, False) for problem, names in NUMBERS.items() for name in names]
NO_NUMBERS = ("3", True, [1], np.ones(2), hg.PowerDecay(1.0, 1.0, 1.0), float("nan"), float("inf"), -1)


@pytest.mark.parametrize(("problem", "name", "whole"), CASES)
def test_what_is_no_possible_number_is_refused(problem, name, whole, unchecked):
    make = getattr(problems, problem)
    for wrong in (*NO_NUMBERS, *((0, 2.5) if whole else ())):
        for options in ({}, {"dirichlet": 1.0}) if problem == "hyperparameter" else ({},):
            with pytest.raises(ValueError, match=rf"^{name} is "):
                make(**{**OPTIONS[problem], **options, name: wrong})


@pytest.mark.parametrize(("problem", "name", "whole"), CASES)
def test_numbers_of_numpy_are_numbers(problem, name, whole, unchecked):
    possible = np.int64(3) if whole else np.float32(0.5)
    made = getattr(problems, problem)(**{**OPTIONS[problem], name: possible})
    assert made.agents == 3
