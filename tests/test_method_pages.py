"""Every method has a page whose calls work, whose costs are the code's, whose figure is there, and a row in a table."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.messages import messages
from hypergossip.core.preset import generalised
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Source, validate
from hypergossip.problems import quadratic
from hypergossip.support import registry

DOCS = Path(__file__).parents[1] / "docs"
PAGES = DOCS / "methods"
METHODS = tuple(registry.built_in("algorithms"))
ESTIMATORS = tuple(registry.built_in("estimators"))
P, Q = 3, 4
LARGEST_FIGURE = 40_000  # bytes
COUNTS = [
    "samples",
    r"$\nabla_x f, \nabla_y f$",
    r"$\nabla_y g$",
    r"$\nabla_{yy}^2 g\, v$",
    r"$\nabla_{xy}^2 g\, v$",
]

every_method = pytest.mark.parametrize("name", METHODS)


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def block(name: str, language: str) -> str:
    (lines,) = re.findall(rf"^```{language}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    return lines


def called(name: str) -> Any:
    """What the page's Python call makes."""
    scope: dict[str, Any] = {"hg": hg}
    exec(block(name, "python"), scope)
    return scope["algorithm"]


def rows(text: str, *first: str) -> list[dict[str, str]]:
    """The rows of the one table whose header has these columns."""
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    cells = [[[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()] for table in tables]
    (found,) = [table for table in cells if set(first) <= set(table[0])]
    return [dict(zip(found[0], row, strict=True)) for row in found[2:]]


def value(formula: str, **names: Any) -> int:
    """A formula of a page, such as "$2 (K - 1) B$"."""
    return eval(re.sub(r"(?<=[\w)])\s+(?=[\w(])", "*", formula.strip("$")), {**names})


def names(algorithm: Any, round: int) -> dict[str, int]:
    """What the letters of the pages' formulas are, for an algorithm whose estimator is a Neumann series."""
    known = {"p": P, "q": Q, "t": int(np.ceil(np.sqrt(round + 1)))}
    if hasattr(algorithm, "inner_steps"):
        known["T"] = algorithm.inner_steps
    if hasattr(algorithm, "iterations"):
        known["N"] = algorithm.iterations
    if isinstance(series := getattr(generalised(algorithm), "hypergradient", None), hg.MiniBatchNeumann):
        return known | {"K": series.terms, "B": series.batches, "b": batches(series)}
    if series is not None:
        known |= {"S": 2, "N": series.terms - 1}
    return known


def batches(series: Any) -> int:
    return sum(int(np.ceil(series.batches * float(series.shrink) ** j - 1e-6)) for j in range(series.terms - 1))


def alone(*, upper: Any = (), lower: Any = (), numbers: Any = (), call: int = 0, **_: Any) -> Any:
    """`mix` without neighbours."""
    given = [tree for tree in (upper, lower, numbers) if jax.tree.leaves(tree)]
    return given[0] if len(given) == 1 else tuple(given)


def spent(algorithm: Any, round: int) -> list[int]:
    """What the code states that a round costs."""
    problem = quadratic(1, P, Q)
    agent, key = problem.agent(0), jax.random.key(0)

    @jax.jit
    def cost() -> Any:
        state = algorithm.init(agent, problem.x0, problem.y0, key)
        return algorithm.step(agent, alone, round, state, key)[1].as_arrays()

    return list(map(int, cost()))


def sent(algorithm: Any) -> tuple[int, int]:
    """How many messages a round sends, and of how many entries, where everything is shared."""
    problem = quadratic(1, P, Q, share="both")
    found = messages(algorithm, (problem.upper, problem.lower), problem.agent(0), problem.x0, problem.y0)
    return sum(one.times for one in found), sum(one.times * one.entries for one in found)


@every_method
def test_the_two_calls_make_the_same_method(name: str) -> None:
    algorithm, lines = called(name), block(name, "toml")
    raw = {"problem": {"name": "quadratic"}, "network": {"name": "ring", "n": 3}, "run": {"rounds": 1}}
    source = Source("", lines)
    built = build(validate({**raw, **tomllib.loads(lines)}, source), source).algorithms
    assert list(built.values()) == [algorithm]
    assert isinstance(algorithm, Algorithm)
    constructor = registry.find("algorithms", name)
    assert f"`hg.{constructor.__name__}`, in files `{name}`" in page(name)
    assert f"algorithm = hg.{constructor.__name__}(" in block(name, "python")


@every_method
def test_the_stated_costs_are_the_codes(name: str) -> None:
    algorithm = called(name)
    for field in ("hypergradient", "full_hypergradient"):
        if hasattr(algorithm, field) and not isinstance(getattr(algorithm, field), hg.MiniBatchNeumann):
            algorithm = replace(algorithm, **{field: hg.TruncatedNeumann(terms=4, lipschitz=4.0)})
    stated = rows(page(name), *COUNTS)
    assert len(stated) == (2 if name in ("svr_interact", "s3ldbo") else 1)
    for row in stated:
        round = {"full": 0, "renewed": 0, "kept": 2}.get(row.get("round"), 7)  # S3LDBO's coin fails in round 2
        known = names(algorithm, round)
        assert [value(row[count], **known) for count in COUNTS] == spent(algorithm, round)
        assert value(row["message"].rpartition(":")[2].strip(), **known) == sent(algorithm)[1]


@every_method
def test_the_figure_is_there_and_small(name: str) -> None:
    assert f"(images/{name}.png)" in page(name)
    assert 1000 < (PAGES / "images" / f"{name}.png").stat().st_size <= LARGEST_FIGURE


def test_the_table_has_a_row_for_every_method() -> None:
    table = rows((PAGES / "README.md").read_text(encoding="utf-8"), "method", "messages per round", "samples per round")
    found = {re.fullmatch(r"\[(.*)\]\((\w+)\.md\)", row["method"]).groups(): row for row in table}
    assert sorted(name for _, name in found) == sorted(METHODS)
    for (title, name), row in found.items():
        count, _, what = row["messages per round"].partition(": ")
        costs = rows(page(name), *COUNTS)
        assert int(count) == sent(called(name))[0]
        assert all(what == cost["message"].rpartition(":")[0] for cost in costs)
        assert row["samples per round"] == " / ".join(cost["samples"] for cost in costs)
        assert page(name).startswith(f"# {title}\n")
        assert f"\n[methods.{title}]\n" in f"\n{block(name, 'toml')}"


STATED = {
    "Direct()": hg.Direct(),
    "Exact()": hg.Exact(),
    "ConjugateGradient(iterations=N)": hg.ConjugateGradient(iterations=3),
    "Neumann(terms=K)": hg.Neumann(terms=6, lipschitz=4.0),
    "Neumann(terms=K, shared_batch=True)": hg.Neumann(terms=6, lipschitz=4.0, shared_batch=True),
    "TruncatedNeumann(terms=K)": hg.TruncatedNeumann(terms=6, lipschitz=4.0),
    "MiniBatchNeumann(terms=K)": hg.MiniBatchNeumann(terms=6, lipschitz=4.0, batches=3, shrink=0.7),
    "Unrolled(steps=T)": hg.Unrolled(steps=5, lower_step=0.2),
    "HessianFree(hg.ConjugateGradient(iterations=N))": hg.HessianFree(hg.ConjugateGradient(iterations=3)),
}


def test_the_estimators_stated_costs_are_the_codes() -> None:
    table = {
        row["estimator"].strip("`").removeprefix("hg."): row
        for row in rows((DOCS / "hypergradients.md").read_text(encoding="utf-8"), "estimator", *COUNTS)
    }
    assert list(table) == list(STATED)
    assert {registry.find("estimators", name) for name in ESTIMATORS} == {
        *map(type, STATED.values()),
        hg.NaturalPolicyGradient,  # it needs a policy; test_natural_gradient.py has its cost
    }
    problem = quadratic(1, P, Q)
    agent, depths = problem.agent(0), set()
    for call, estimator in STATED.items():
        cost = jax.jit(lambda key, estimator=estimator: estimator(agent, problem.x0, problem.y0, key)[1].as_arrays())
        for seed in range(4 if call.startswith("Neumann") else 1):
            counts = list(map(int, cost(jax.random.key(seed))))
            known = {"q": Q, "N": 3, "K": 6, "T": 5, "k": counts[3], "b": batches(STATED["MiniBatchNeumann(terms=K)"])}
            assert [value(table[call][count], **known) for count in COUNTS] == counts, call
            if call.startswith("Neumann"):
                depths.add(counts[3])
    assert len(depths) > 1
    assert depths <= set(range(6))
