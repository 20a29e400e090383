"""A small experiment as a file, and as the folder of a finished comparison."""

from pathlib import Path

import pytest
from calling import call

from small_experiment import EXPERIMENT


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the file."""
    path = tmp_path_factory.mktemp("experiment") / "small.toml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def finished(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished comparison; tests only read it."""
    folder = tmp_path_factory.mktemp("finished") / "small"
    result = call("compare", "--config", experiment, "--out", folder)
    assert result.exit_code == 0, (result.output, result.exception)
    return folder
