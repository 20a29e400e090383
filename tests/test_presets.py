"""Presets: another method's program, under a name and with numbers of their own."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Vectors
from hypergossip.core.preset import Preset, generalised
from hypergossip.running.preflight import facts

NETWORK, EXACT = hg.networks.ring(4), hg.Exact()
PROBLEMS = {share: hg.problems.quadratic(4, 3, 2, noise=0.1, share=share) for share in ("upper", "lower")}
PRESETS = {
    "TTSA": (hg.TTSA(0.1, 0.2, EXACT), hg.ALSET(0.1, 0.2, 1, EXACT)),
    "StocBiO": (
        hg.StocBiO(0.1, 0.2, 2, 4, 8.0, 2.0, batches=3),
        hg.ALSET(0.1, 0.2, 2, hg.MiniBatchNeumann(4, 8.0, 3, 0.75)),
    ),
    "Sustain": (hg.Sustain(0.1, 0.2, 0.3, 0.4, EXACT), hg.Diamond(0.1, 0.2, 0.3, 0.4, EXACT)),
    "MRBO": (hg.MRBO(0.3, 0.6, 5.0, 7.0, 3, 8.0, offset=64.0), None),
    "DAC": (hg.DAC(0.1, 0.2, EXACT), hg.CAC(0.1, 0.2, EXACT)),
}
every_preset = pytest.mark.parametrize("name", PRESETS)


def problem_for(name):
    return PROBLEMS["lower" if name == "DAC" else "upper"]


def run(algorithm, name, **more):
    settings = {"rounds": 3, "observe_every": 3, "check": False, "measure": False} | more
    return hg.solve(algorithm, problem_for(name), NETWORK, **settings)


@every_preset
def test_a_preset_is_the_other_methods_run_and_compiled_program(name, monkeypatch):
    preset, other = PRESETS[name]
    other = other or preset.method
    assert isinstance(preset, Preset)
    made = generalised(preset)
    assert (jax.tree.structure(made), jax.tree.leaves(made)) == (jax.tree.structure(other), jax.tree.leaves(other))
    assert (preset.needs, preset.vectors) == (other.needs, other.vectors)
    theirs = run(other, name)
    traces = []
    step = type(other).step
    monkeypatch.setattr(type(other), "step", lambda self, *rest: traces.append(1) or step(self, *rest))
    ours = run(preset, name)
    assert not traces
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_array_equal(ours.y, theirs.y)


def test_dac_declares_what_cac_does():
    assert hg.DAC.vectors == Vectors(averages=("x", "y"))


@every_preset
def test_it_keeps_its_name(name, tmp_path):
    preset, _ = PRESETS[name]
    result = run(preset, name, checkpoint=tmp_path)
    assert result.saved.configuration["algorithm"] == str(preset)
    assert str(preset).startswith(f"{name}(upper_step=")
    with pytest.raises(ValueError, match=f"^{name}: lower_step is -"):
        run(replace(preset, lower_step=-1.0), name, check=True)
    with pytest.warns(hg.PreflightWarning, match=f"^{name}: lower_step"):
        run(replace(preset, lower_step=8.0, upper_step=0.0), name, check=True, rounds=0)
    tuned = hg.tune(preset, problem_for(name), NETWORK, grid={"lower_step": [0.1, 0.2]}, rounds=3, seeds=1)
    assert type(tuned.best) is type(preset)


def test_a_sweep_is_over_its_own_numbers():
    """MRBO's steps and momenta follow its scale, whatever a grid makes of it."""
    mrbo = PRESETS["MRBO"][0]
    tuned = hg.tune(mrbo, PROBLEMS["upper"], NETWORK, grid={"scale": [0.5, 1.0]}, rounds=6, seeds=2, seed=3)
    for scale, score in zip(tuned.table["scale"], tuned.table["score"], strict=True):
        rows = [
            hg.solve(replace(mrbo, scale=scale), PROBLEMS["upper"], NETWORK, rounds=6, seed=seed, observe_every=1)
            for seed in (3, 4)
        ]
        metrics = [np.mean([row.history["metric"].iloc[k] for k in (5, 5, 6)]) for row in rows]
        np.testing.assert_allclose(score, np.median(metrics), rtol=1e-9)


def test_what_was_saved_under_the_other_methods_name_is_told(tmp_path):
    """As version 0.1 saved a run of SUSTAIN: as DIAMOND's."""
    sustain, diamond = PRESETS["Sustain"]
    saved = run(diamond, "Sustain", checkpoint=tmp_path)
    with pytest.raises(hg.CheckpointError, match=r"algorithm: Diamond\(.* there, Sustain\(.* here"):
        run(sustain, "Sustain", checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"its algorithm \(Diamond there, Sustain here\)"):
        run(sustain, "Sustain", start=saved)


def test_a_state_of_another_version_is_told():
    """As version 0.1 saved CAC's: with the adapted points beside the combined ones."""
    cac = hg.CAC(0.1, 0.2, EXACT)
    result = run(cac, "DAC")
    saved = result.saved._replace(leaves=[*result.saved.leaves, *result.saved.leaves])
    with pytest.raises(ValueError, match="another version of CAC, whose state has 4 vectors and not 2"):
        run(cac, "DAC", start=replace(result, saved=saved))


def test_facts_of_a_preset_are_its_methods():
    known = facts(PROBLEMS["upper"], NETWORK)
    for preset, _ in PRESETS.values():
        assert preset.check(known) == preset.method.check(known)
