"""Ours against the authors' PyTorch functions with equal samples: `python -m studies.authors_code`.

It takes one commit of the authors' two repositories, of stocBiO and of MRBO, of which nothing is kept here, from GitHub
or from the folders that `--stocbio` and `--mrvrbo` name. PyTorch is installed in a temporary folder, unless `--python`
names an interpreter that has it. Compared are 20 rounds, in float64, of their `reverse` with ITD-BiO, of their `CG`
with ALSET by conjugate gradients and with AID-BiO, of their STABLE with ours, and their direction of stocBiO with ours
at 20 samples. The command fails where a difference that should be rounding is larger.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.core.algorithm import Algorithm
from studies.replayed import Recorder, states
from studies.repositories import PATIENCE, Repository, checked_out, interpreter, option

STOCBIO = Repository("JunjieYang97/stocBiO", "e98c7a17a62460e51231170d3de20566aa71c576")
MRVRBO = Repository("JunjieYang97/MRVRBO", "f1820038d32c0abf326e1c1c7f7d39f7fd6aa13c")
TORCH = "torch==2.13.0"
ROUNDS, BLOCKS, ROWS, CLASSES, FEATURES = 20, 6, 7, 2, 3
ALPHA, BETA, ETA, TERMS, INNER, TAU = 0.2, 0.2, 0.2, 3, 4, 0.5
LARGEST = 1e-12

Losses = tuple[Callable[..., Any], Callable[..., Any]]


def losses(given: dict[str, Any], whole: bool) -> Losses:
    """The losses of `authors_torch`, on one block or on all data; only on all data f depends on x."""

    def entropy(level: int, y: Any, block: Any) -> Any:
        pick = lambda rows: rows[level].reshape(-1, *rows.shape[3:]) if whole else jnp.asarray(rows)[level, block]
        chances = jax.nn.log_softmax(pick(given["features"]) @ y.reshape(CLASSES, FEATURES).T)
        return -jnp.mean(jnp.take_along_axis(chances, pick(given["labels"])[:, None], axis=1))

    def upper(x: Any, y: Any, block: Any) -> Any:
        return entropy(0, y, block) + (jnp.sum(x**2) / 20 if whole else 0.0)

    def lower(x: Any, y: Any, block: Any) -> Any:
        return entropy(1, y, block) + jnp.sum(jnp.exp(x) * y**2) / 2

    return upper, lower


class Chosen(Recorder):
    """Oracles whose blocks are chosen by their role in the round."""

    blocks_of: dict[str, int]

    def block(self, key: Any, role: str) -> int:
        """Returns the block of a role."""
        return self.blocks_of[role]


def points(method: Algorithm, given: dict[str, Any], fixed: Losses | None = None) -> np.ndarray:
    """Our x and y of every round, (rounds, p + q): on all data, or on the recorded blocks."""

    class Rounds(Chosen):
        def begin_round(self) -> None:
            t = len(self.rounds)
            super().begin_round()
            lower = int(given["lower"][t])
            self.blocks_of = {"upper": int(given["upper"][t])} | dict.fromkeys(
                ("gradients", "hessians", "jacobians"), lower
            )

    agent = Rounds(*(fixed or losses(given, whole=True)), BLOCKS)
    found = states(method, agent, jnp.asarray(given["x"]), jnp.asarray(given["y"]), ROUNDS)
    return np.stack([np.concatenate([state.x, state.y]) for state in found])


def estimates(given: dict[str, Any], terms: int) -> np.ndarray:
    """Our stocBiO direction with a number of terms, on the recorded blocks, (rounds, p)."""
    agent = Chosen(*losses(given, whole=False), BLOCKS)
    rows = []
    for upper, lower, across in zip(given["upper"], given["lower"], given["across"]):
        agent.blocks_of = {"upper": int(upper), "hessians": int(lower), "jacobians": int(across)}
        series = hg.MiniBatchNeumann(terms, 1 / ETA)
        rows.append(series(agent, jnp.asarray(given["x"]), jnp.asarray(given["y"]), jax.random.key(0))[0])
    return np.stack(rows)


def data() -> dict[str, Any]:
    """Data, a starting point, the blocks of every round, and the numbers."""
    random = np.random.default_rng(0)
    size = CLASSES * FEATURES
    return {
        "features": random.standard_normal((2, BLOCKS, ROWS, FEATURES)),
        "labels": random.integers(CLASSES, size=(2, BLOCKS, ROWS)),
        "x": random.standard_normal(size) / 4,
        "y": random.standard_normal(size),
        **{role: random.integers(BLOCKS, size=ROUNDS) for role in ("upper", "lower", "across")},
        **{"alpha": ALPHA, "beta": BETA, "eta": ETA, "terms": TERMS, "inner": INNER, "tau": TAU},
    }


def theirs(given: dict[str, Any], arguments: argparse.Namespace, folder: Path) -> dict[str, np.ndarray]:
    """Runs the authors' functions."""
    files = [checked_out(STOCBIO, arguments.stocbio, folder), checked_out(MRVRBO, arguments.mrvrbo, folder)]
    python = arguments.python or interpreter(folder, TORCH, "numpy")
    np.savez(folder / "given.npz", **given)
    script = Path(__file__).with_name("authors_torch.py")
    command = [python, script, *files, folder / "given.npz", folder / "found.npz"]
    subprocess.run([str(part) for part in command], check=True, timeout=PATIENCE)
    with np.load(folder / "found.npz") as found:
        return dict(found)


def main() -> None:
    """Compares all functions."""
    parser = argparse.ArgumentParser(prog="python -m studies.authors_code", description=__doc__)
    option(parser, "--stocbio", STOCBIO)
    option(parser, "--mrvrbo", MRVRBO)
    parser.add_argument("--python", type=Path, metavar="PATH", help="an interpreter that has PyTorch and NumPy")
    arguments = parser.parse_args()
    given, size = data(), CLASSES * FEATURES
    with tempfile.TemporaryDirectory() as place, jax.enable_x64(True), jax.disable_jit():
        found = theirs(given, arguments, Path(place))
        by_cg = lambda steps: hg.ALSET(ALPHA, BETA, INNER, hg.ConjugateGradient(steps, 0.0))
        stable = points(hg.Stable(ALPHA, BETA, TAU, 1e-9), given, losses(given, whole=False))
        with_cg, to_the_end = points(by_cg(TERMS), given), points(by_cg(size), given)
        one, fewer, all_terms = (estimates(given, terms) for terms in (1, TERMS, TERMS + 1))
        written = (all_terms - one) / ETA + all_terms - fewer
        itd = points(hg.ITDBiO(ALPHA, BETA, INNER), given)
        aid, aid_to_the_end = (points(hg.AIDBiO(ALPHA, BETA, INNER, steps), given) for steps in (TERMS, size))
    lines = [
        ("ITD-BiO", "reverse through all lower steps", itd, found["itd"], True),
        ("ALSET", f"CG, {TERMS} steps from zero", with_cg, found["cg"], True),
        ("ALSET", f"CG, {size} steps, which solve the system", to_the_end, found["cg, to the end"], True),
        ("ALSET", "the same with their tolerance of 1e-12", to_the_end, found["cg, to the end, 1e-12"], False),
        ("AID-BiO", f"CG, {TERMS} steps from zero; ours begin at the last solution", aid, found["cg"], False),
        ("AID-BiO", f"CG, {size} steps, which solve the system", aid_to_the_end, found["cg, to the end"], True),
        ("STABLE", "MRBO's authors' STABLE, one sample, first tau 1", stable, found["stable, first tau 1"], True),
        ("STABLE", "the same with first tau 0.5, as it is", stable, found["stable, as it is"], False),
        ("stocBiO", "the direction, as it is", all_terms, found["stocbio"], False),
        ("stocBiO", "eta v_Q + v_1 + ... + v_Q in place of eta (v_0 + ... + v_Q)", written, found["stocbio"], True),
    ]
    agree = True
    print(f"{STOCBIO.name} at {STOCBIO.commit[:10]}, {MRVRBO.name} at {MRVRBO.commit[:10]}: largest difference")
    for name, words, a, b, equal in lines:
        difference = float(np.max(np.abs(a - b)))
        holds = difference <= LARGEST or not equal
        agree &= holds
        print(f"{name:8} {difference:8.1e}  {words}{'' if holds else ': NOT EQUAL'}")
    raise SystemExit(0 if agree else 1)


if __name__ == "__main__":
    main()
