"""A small experiment as a file, and as the folder of a finished comparison."""

import shutil
from pathlib import Path

import pytest

from calling import done
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
    done("compare", "--config", experiment, "--out", folder)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which a test may change."""
    return shutil.copytree(finished, tmp_path / "copy")
