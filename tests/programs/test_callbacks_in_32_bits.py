"""Losses that call NumPy, in a process that computes in 32 bits, as users' do."""

import os
import subprocess
import sys
from pathlib import Path

IN_32_BITS = """
import warnings
import numpy as np
import hypergossip as hg
from test_once_differentiable import DATA, FREE, RING, made, outside
import jax
jax.config.update("jax_enable_x64", False)
warnings.simplefilter("ignore")
equal = {name: leaf.astype(np.float32) for name, leaf in DATA.items()}
unequal = [{name: leaf[i, : 4 + i % 2] for name, leaf in equal.items()} for i in range(3)]
for data, options in ((equal, {}), (unequal, {"check": False, "measure": "metric"})):
    problem = made(outside, data)
    result = hg.solve(hg.DSGD(0.1, 0.1, FREE), problem, RING, rounds=2, observe_every=1, **options)
    assert result.x.dtype == np.float32
    assert (result.history["relative_residual"] < 1e-6).all(), result.history
assert hg.check_hypergradient(made(outside, equal), FREE, draws=1).relative_error < 1e-5
assert not jax.config.jax_enable_x64
"""


def test_with_64_bits_off_callbacks_are_measured_in_64_bits():
    """XLA calls them in threads of its own, for which a switch of one thread does not hold."""
    places = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    here = {**os.environ, "PYTHONPATH": places}
    done = subprocess.run([sys.executable, "-c", IN_32_BITS], env=here, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
