"""Hessian-free products: what differences of gradients cost, and how far they are from exact second derivatives.

A logistic regression with 22 + 22 dimensions, 1000 samples, its whole data. The error is that of the estimate with
differenced products against the same estimate with exact ones; the seconds are of compiled programs, in turns.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from benchmarks.problems import logistic
from benchmarks.timing import alternate, ratio
from matplotlib.figure import Figure

import hypergossip as hg
from hypergossip.figures import style
from studies.theory.common import column, logarithmic

ESTIMATORS = {
    "Conjugate gradient, 10": hg.ConjugateGradient(10, 0.0),
    "Truncated Neumann, 10": hg.TruncatedNeumann(10, 4.0),
    "Unrolled, 10": hg.Unrolled(10, 0.25),
    "Exact": hg.Exact(),
}
PRECISIONS = ("float64", "float32")
RADII = np.logspace(-10, 0, 21)
COPIES = 20  # estimates a timed call, so that the call itself does not count


def at_a_point(precision: str) -> tuple[Any, Any, Any]:
    """One agent on its whole data, and a point (x, y), in a floating type."""
    problem = logistic(1)
    random = np.random.default_rng(1)
    cast = lambda leaf: leaf.astype(precision) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
    agent = jax.tree.map(cast, problem.agent(0).full)
    return agent, *(jnp.asarray(random.standard_normal(v.size), precision) for v in (problem.x0, problem.y0))


def errors(precision: str, quick: bool) -> Iterator[dict]:
    """The relative error of every estimator for every radius; the default's radius is None."""
    agent, x, y = at_a_point(precision)
    key = jax.random.key(0)
    for name, estimator in ESTIMATORS.items():
        exact = jax.jit(lambda estimator=estimator: estimator(agent, x, y, key)[0])()
        free = jax.jit(lambda radius, estimator=estimator: hg.HessianFree(estimator, radius)(agent, x, y, key)[0])
        default = hg.HessianFree(estimator)(agent, x, y, key)[0]
        pairs = [(None, default), *((radius, free(radius)) for radius in RADII[:: 5 if quick else 1])]
        for radius, estimate in pairs:
            error = float(jnp.linalg.norm(estimate - exact) / jnp.linalg.norm(exact))
            yield {"estimator": name, "precision": precision, "radius": radius, "error": error}


def costs(quick: bool) -> Iterator[dict]:
    """Oracle calls and microseconds of one estimate in float32, with exact and with differenced products."""
    agent, x, y = at_a_point("float32")
    keys = jax.random.split(jax.random.key(0), COPIES)
    for name, estimator in ESTIMATORS.items():
        forms = {"exact": estimator, "differenced": hg.HessianFree(estimator)}
        programs = {}
        for form, one in forms.items():
            many = jax.jit(lambda x, one=one: jax.lax.map(lambda key: one(agent, x, y, key)[0], keys))
            programs[form] = lambda many=many: many(x)
        seconds = alternate(programs, repeats=3 if quick else 15)
        for form, one in forms.items():
            cost = one(agent, x, y, keys[0])[1]
            yield {
                "estimator": name,
                "products": form,
                "microseconds": 1e6 * seconds[form].min() / COPIES,
                "time_ratio": ratio(seconds[form], seconds["exact"]),
                **{field: int(count) for field, count in cost._asdict().items() if field != "samples"},
            }


def measure(quick: bool) -> pd.DataFrame:
    """Errors by radius, then costs; a row has the columns of one of the two."""
    rows = [row for precision in PRECISIONS for row in errors(precision, quick)]
    return pd.DataFrame([*rows, *costs(quick)])


def draw(table: pd.DataFrame) -> Figure:
    """The error against the radius, and the default's."""
    figure, axes = column(3.0)
    logarithmic(axes)
    for place, name in enumerate(ESTIMATORS):
        look = style.mark(place)
        for precision, dashes in zip(PRECISIONS, ("-", "--"), strict=True):
            of = table[(table["estimator"] == name) & (table["precision"] == precision)]
            curve, default = of[of["radius"].notna()], of[of["radius"].isna()]
            label = name if precision == "float64" else None
            axes.plot(curve["radius"], curve["error"], dashes, color=look.colour, label=label)
            own = np.finfo(precision).eps ** (1 / 3)
            axes.plot([own], default["error"], look.marker, color=look.colour, markeredgecolor="white")
    radii = np.array([1e-4, 1e-1])
    axes.plot(radii, 3e-2 * radii**2, ":", color=style.INK, label="slope 2")
    axes.set_xlabel("radius $r$ of the differences")
    axes.set_ylabel("relative error of the estimate")
    axes.set_title("solid: float64, dashed: float32, marks: default", fontsize=style.SMALL)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The default's errors, and what the products cost."""
    rows = []
    for name in ESTIMATORS:
        of = table[table["estimator"] == name]
        for precision in PRECISIONS:
            error = of[(of["precision"] == precision) & of["radius"].isna()]["error"].item()
            rows.append((f"{name}, {precision}: error at the default radius", f"{error:.1e}"))
        exact, free = (of[of["products"] == form].iloc[0] for form in ("exact", "differenced"))
        products = int(exact["hessian_products"] + exact["jacobian_products"])
        more = int(free["lower_gradients"] - exact["lower_gradients"])
        rows.append((f"{name}: {products} products are", f"{more} lower gradients"))
        rows.append((f"{name}: time with differences / with products", f"{free['time_ratio']:.2f}"))
    return rows
