"""The facade: every name is there, is what it says, and stays so whatever was imported first."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hypergossip as hg
from hypergossip import registry

WHERE = {**hg._WHERE, **hg._listed()}


def test_the_list_is_the_table():
    assert sorted(hg.__all__) == sorted([*WHERE, *hg._MODULES])
    assert len(set(hg.__all__)) == len(hg.__all__)
    assert sorted(hg.__all__) == dir(hg)
    assert sum(map(len, hg._PLACES.values())) == len(hg._WHERE)


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


@pytest.mark.parametrize("name", hg._MODULES)
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
for name in hg.__all__:
    value = getattr(hg, name)
    expected = importlib.import_module("hypergossip." + name) if name in hg._MODULES else getattr(
        importlib.import_module({**hg._WHERE, **hg._listed()}[name]), name)
    assert value is expected, name
"""


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_whatever_is_imported_first(order):
    done = subprocess.run([sys.executable, "-c", ORDERS, order], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'hypergossip' has no attribute 'Slamm'"):
        _ = hg.Slamm
    assert hg.__version__
