"""The facade: every name is there, is what it says, and stays so whatever was imported first."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hypergossip as hg
from hypergossip.support import registry
from hypergossip.support.moved import moved

STUB = ast.parse(Path(hg.__file__).with_suffix(".pyi").read_text())
IMPORTS = [node for node in STUB.body if isinstance(node, ast.ImportFrom)]
WHERE = {alias.name: f"hypergossip.{node.module}" for node in IMPORTS if node.module for alias in node.names}
MODULES = [alias.name for node in IMPORTS if not node.module for alias in node.names]


def test_the_names_are_those_of_the_stub():
    assert sorted([*WHERE, *MODULES]) == sorted(hg.__all__) == dir(hg)
    assert len(set(hg.__all__)) == len(hg.__all__)


@pytest.mark.parametrize("package", ["algorithms", "hypergradients"])
def test_every_method_and_every_estimator_is_a_name_of_the_library(package):
    module = importlib.import_module(f"hypergossip.{package}")
    classes = {name for name, value in vars(module).items() if isinstance(value, type)}
    assert classes == {name for name, place in WHERE.items() if place == module.__name__}


def test_every_file_of_a_method_or_an_estimator_is_listed():
    """One line in the folder's list registers it: for Python, for the command line and for files."""
    for kind, folder in (("algorithms", "algorithms"), ("estimators", "hypergradients")):
        files = {path.stem for path in (Path(hg.__file__).parent / folder).glob("[!_]*.py")} - {"implicit"}
        assert set(registry.built_in(kind)) == files
        for name, place in registry.built_in(kind).items():
            assert registry.find(kind, name) is getattr(hg, place.rpartition(":")[2])


@pytest.mark.parametrize("name", sorted(WHERE))
def test_every_name_is_what_its_module_defines(name):
    value = getattr(hg, name)
    assert value is getattr(importlib.import_module(WHERE[name]), name)
    assert not isinstance(value, ModuleType)
    assert value.__doc__
    assert value.__module__.startswith(WHERE[name])


@pytest.mark.parametrize("name", MODULES)
def test_every_room_is_a_module(name):
    assert getattr(hg, name) is importlib.import_module(f"hypergossip.{name}")
    assert getattr(hg, name).__all__


def test_no_submodule_is_called_like_a_public_name():
    """Importing one would put the module in the name's place."""
    from pkgutil import iter_modules

    assert {module.name for module in iter_modules(hg.__path__)} & set(WHERE) == set()


ORDERS = """
import importlib, pkgutil, sys
import hypergossip as hg
modules = pkgutil.walk_packages(hg.__path__, "hypergossip.")
names = sorted(module.name for module in modules if "__main__" not in module.name)
if sys.argv[1] == "backwards":
    names.reverse()
for name in names:
    importlib.import_module(name)
for name in {MODULES}:
    assert getattr(hg, name) is importlib.import_module("hypergossip." + name), name
for name, place in {WHERE}.items():
    assert getattr(hg, name) is getattr(importlib.import_module(place), name), name
"""


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_whatever_is_imported_first(order):
    program = ORDERS.replace("{MODULES}", repr(MODULES)).replace("{WHERE}", repr(WHERE))
    command = [sys.executable, "-W", "ignore", "-c", program, order]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["algorithm", "pytree", "schedules"])
def test_modules_that_methods_import_by_an_earlier_name(name):
    """Another package's method was written against these names; it is warned, and its classes are ours."""
    program = f"import warnings; warnings.simplefilter('ignore'); import hypergossip.{name} as old; print(old.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() in ("hypergossip.core." + name, "hypergossip.support." + name)
    with pytest.warns(DeprecationWarning, match=f"hypergossip.{name} is now hypergossip"):
        moved(f"hypergossip.{name}", done.stdout.strip())


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No hypergossip attribute Slamm"):
        _ = hg.Slamm
    assert hg.__version__
