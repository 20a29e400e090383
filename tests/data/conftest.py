"""Where the tests find the real files."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_files() -> Path:
    """The folder of real data files; a test that asks for it is skipped where there is none."""
    named = os.environ.get("HYPERGOSSIP_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "a9a.gz").is_file():
        pytest.skip("the real data files are in neither $HYPERGOSSIP_DATA nor ../shared/data")
    return folder
