"""Engines agree after 50 rounds under every channel; 9 agents on 3 devices, and on 4, one of which runs an agent twice."""

import pytest

from channels.setting import CHANNELS, ENGINES, SLAM, TRACKED, agree, problem


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree(engine, name):
    """`Debug` with the method that is fastest one agent at a time, the others with three vectors of both levels."""
    method, share = (SLAM, "upper") if engine == "Debug" else (TRACKED, "both")
    agree(method, problem(noise=0.1, share=share), CHANNELS[name], ENGINES[engine], 50)
