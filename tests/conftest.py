"""The tests' own switches: float64, strict promotion, eight CPU devices, and where the real data are."""

import os
from pathlib import Path

import jax
import matplotlib
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_num_cpu_devices", 8)
matplotlib.use("Agg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data files; tests that need it are skipped elsewhere."""
    for place in (os.environ.get("HYPERGOSSIP_DATA"), Path(__file__).parents[2] / "shared" / "data"):
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("the real data files are neither in $HYPERGOSSIP_DATA nor in ../shared/data")
