"""Step sizes for each leaf in a file: tables by the names of the leaves and arrays, and tables that are schedules."""

import tomllib

import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from calling import call, done, refused
from hypergossip.lab import build as building
from hypergossip.lab.assignment import assign
from hypergossip.lab.build import build_algorithms
from hypergossip.lab.configuration import Source, validate
from small_experiment import EXPERIMENT

OLD = "upper_step = 0.1\nlower_step = {"  # in the first method of the experiment
FILE = EXPERIMENT.replace('name = "quadratic"', 'name = "leaves"').replace("[0.05, 0.1]", "[0.1]")


def leaves(agents, noise):
    """Quadratics whose x has the leaves decay (1,) and tilt (2,)."""
    oracles = hg.problems.quadratic(agents, 3, 4, noise=noise).oracles
    return hg.Problem.from_oracles(oracles, x0={"decay": np.zeros(1), "tilt": np.zeros(2)}, y0=np.zeros(4))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Registers the problem under the name "leaves"."""
    find = building.find
    monkeypatch.setattr(building, "find", lambda kind, name: leaves if name == "leaves" else find(kind, name))


def method_of(lines):
    """The method that a section with these lines describes."""
    text = f'[problem]\nname = "p"\n[network]\nname = "ring"\n[run]\nrounds = 1\n[methods.m]\n{lines}'
    source = Source("steps.toml", text)
    return build_algorithms(validate(tomllib.loads(text), source), source)["m"]


DIAMOND = 'algorithm = "diamond"\nlower_step = 0.1\nlower_momentum = 0.3\nhypergradient = "exact"\n'


@pytest.mark.parametrize(
    ("table", "step"),
    [
        ("{ decay = 0.1, tilt = 0.01 }", {"decay": 0.1, "tilt": 0.01}),
        ('{ decay = { scale = 0.5, offset = 2, power = "1/3" }, tilt = "1/8" }', None),
        ("[0.1, { scale = 0.5 }]", [0.1, hg.PowerDecay(0.5)]),
        ("{ net = { dense = 0.1, bias = 1 }, lam = [0.2] }", {"net": {"dense": 0.1, "bias": 1.0}, "lam": [0.2]}),
        ("{ scale = 0.5, offset = 2 }", hg.PowerDecay(0.5, 2.0)),
        # Leaves with the names of the options of a schedule.
        (
            "{ scale = { scale = 0.1, power = 0 }, offset = { scale = 0.2 } }",
            {"scale": hg.PowerDecay(0.1, power=0.0), "offset": hg.PowerDecay(0.2)},
        ),
        ("{ name = 0.1, squared_step = 0.2 }", {"name": 0.1, "squared_step": 0.2}),
    ],
)
def test_a_table_is_a_schedule_or_a_value_for_each_leaf(table, step):
    made = method_of(f"{DIAMOND}upper_step = {table}\nupper_momentum = {{ squared_step = 0.1 }}")
    step = {"decay": hg.PowerDecay(0.5, 2.0, 1 / 3), "tilt": 0.125} if step is None else step
    assert made == hg.Diamond(step, 0.1, hg.SquaredStep(0.1), 0.3, hg.Exact())


def test_a_penalty_can_follow_the_step():
    slam = 'algorithm = "slam_tracked"\nupper_step = 0.1\nlower_step = 0.2\nadjoint_step = 0.2\ngamma = 1\n'
    assert method_of(f"{slam}rho = {{ inverse_step = 0.5 }}").rho == hg.InverseStep(0.5)
    assert method_of(f"{slam}rho = 0.5").rho == 0.5


def test_momenta_and_step_sizes_of_estimators_can_have_leaves_too():
    made = method_of(f"{DIAMOND}upper_step = 0.1\nupper_momentum = {{ decay = {{ squared_step = 0.1 }}, tilt = 0.2 }}")
    assert made.upper_momentum == {"decay": hg.SquaredStep(0.1), "tilt": 0.2}
    unrolled = 'hypergradient = { name = "unrolled", steps = 3, lower_step = { a = 0.1, b = 0.2 } }'
    made = method_of(f'algorithm = "dsgd"\nupper_step = 0.1\nlower_step = 0.2\n{unrolled}')
    assert made.hypergradient == hg.Unrolled(3, {"a": 0.1, "b": 0.2})
    made = method_of(
        'algorithm = "mrbo"\nupper_step = { a = 0.1, b = 0.2 }\nlower_step = 0.1\nupper_momentum = 2\n'
        "lower_momentum = 3\nterms = 3\nlipschitz = 5"
    )
    assert made.upper_step == {"a": 0.1, "b": 0.2}
    assert made.method.upper_step == {"a": hg.PowerDecay(0.1), "b": hg.PowerDecay(0.2)}


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ("{ scale = 0.1, shift = 0.2 }", ("'shift'", "{scale, offset, power}", "{scale = {scale = 0.1, power = 0}}")),
        ("{ decay = 0.1, tilts = 0.2 }", ("[methods.D-SGD]", "'tilts'", "the leaves of x0 are decay, tilt", "line 14")),
        ("{ decay = 0.1 }", ("no value for 'tilt'",)),
        ("{ scal = 0.1, ofset = 2 }", ("'ofset'", "a schedule", "{scale, offset, power}")),
        ("{ decay = 0.1, tilt = { x = 1 } }", ("'tilt' is a single array of x0",)),
        ('{ decay = 0.1, tilt = "fast" }', ("[methods.D-SGD.upper_step] tilt = 'fast'", "give a number", "line 16")),
        ('{ name = "exact" }', ("name = 'exact'", "give a number")),
        ("{ decay = 0.1, tilt = -0.2 }", ("upper_step.tilt is -0.2 in round 0",)),
        ("{}", ("lacks the option 'scale'",)),
        ("[0.1, 0.2]", ("a value for '0'", "decay, tilt")),
        ("true", ("upper_step = True", "give a number")),
    ],
)
def test_a_wrong_table_gets_one_sentence(tmp_path, table, parts):
    path = tmp_path / "bad.toml"
    assert OLD in FILE
    path.write_text(FILE.replace(OLD, OLD.replace("0.1", table, 1), 1))
    sentence = refused(call("compare", "--config", path, "--out", tmp_path / "out"))
    assert all(part in sentence for part in parts), sentence
    assert not (tmp_path / "out").exists()


def test_a_file_gives_the_same_numbers_as_the_call(tmp_path):
    path = tmp_path / "leaves.toml"
    table = "{ decay = 0.05, tilt = { scale = 0.2, offset = 2 } }"
    path.write_text(FILE.replace(OLD, OLD.replace("0.1", table, 1), 1))
    options = ("--config", path, "--method", "D-SGD", "--rounds", 4, "--seeds", 1)
    grid = ("--grid", "upper_step.decay=0.05,0.1", "--grid", "upper_step.tilt.scale=0.2")
    done("tune", *options, *grid, "--out", tmp_path / "tuned")
    best = pd.read_csv(tmp_path / "tuned" / "table.csv").iloc[0]

    options = ("--config", tmp_path / "tuned" / "best.toml", "--method", "D-SGD", "--rounds", 4, "--seeds", 1)
    done("run", *options, "--out", tmp_path / "run")
    steps = {"decay": best["upper_step.decay"], "tilt": hg.PowerDecay(0.2, 2.0)}
    algorithm = hg.DSGD(steps, hg.PowerDecay(0.2), hg.Exact())
    options = {"rounds": 4, "seeds": 1, "check": False, "measure": False}
    expected = hg.solve(algorithm, leaves(3, 0.1), hg.networks.ring(3), **options)
    kept = hg.load(tmp_path / "run" / "methods" / "D-SGD").x
    for leaf in expected.x:
        np.testing.assert_array_equal(kept[leaf], expected.x[leaf])


def test_an_entry_of_an_array_is_set_by_its_number():
    raw = {"methods": {"m": {"upper_step": [0.1, {"scale": 0.2}]}}}
    new = assign(raw, ("methods", "m", "upper_step", "1", "scale"), 0.5)
    assert assign(new, ("methods", "m", "upper_step", "0"), 0.3)["methods"]["m"]["upper_step"] == [0.3, {"scale": 0.5}]
    with pytest.raises(ValueError, match="a list of 2 entries, numbered from 0"):
        assign(raw, ("methods", "m", "upper_step", "2"), 0.3)


@pytest.mark.parametrize(
    ("lines", "table"),
    [
        ('algorithm = "fab"\nupper_step = 0.1\nlower_step = 0.1\npenalty = "x"', False),
        (
            'algorithm = "slam"\nupper_step = 0.1\nlower_step = 0.1\ngamma = 1\nhypergradient = "exact"\nrho = "x"',
            False,
        ),
        (DIAMOND + 'upper_step = "x"\nupper_momentum = 0.5', True),
        (DIAMOND + 'upper_step = { scale = "x" }\nupper_momentum = 0.5', False),
        (DIAMOND + 'upper_step = 0.1\nupper_momentum = { squared_step = "x" }', False),
    ],
)
def test_a_schedule_is_advised_only_where_it_is_possible(lines, table):
    with pytest.raises(ValueError, match=r"= 'x': give a number") as caught:
        method_of(lines)
    assert ("a table such as" in str(caught.value)) is table
