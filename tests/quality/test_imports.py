"""Imports run downwards only, read from the source; and importing the library costs little more than importing JAX."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hypergossip

ROOT = Path(hypergossip.__file__).parent
# Packages whose __init__.py is of no layer: it holds a docstring and, at most, a check that an extra is installed.
PLAIN = ("hypergossip", "support", "core", "agent_data", "running", "figures", "lab")

# From the bottom to the top: a module may import the layers below its own, and of its own layer its own package only.
LAYERS = (
    ("support.extras", "support.pytree", "support.callables", "support.callbacks", "support.compilation"),
    ("support.threefry", "support.launchers", "support.interrupts"),
    ("support.rendezvous",),
    ("support.joining",),
    (
        "support.float64",
        "support.dimensions",
        "support.agent_names",
        "support.arguments",
        "support.cores",
        "support.ports",
        "support.processes",
        "support.devices",
        "support.registry",
    ),
    ("support.moved", "support.renamed", "figures"),
    (
        "core.declarations",
        "core.two_points",
        "core.agent_data.leaves",
        "core.agent_data.masking",
        "core.agent_data.one_agent",
    ),
    ("core.algorithm", "core.hyperparameter_checks"),
    ("core.lower_derivatives", "core.first_order", "core.balls", "core.loop_turns"),
    ("core.space", "core.schedules", "core.preset", "core.requirements", "core.shapes_only", "core.agent_data.reading"),
    ("core.flat_messages", "core.agent_data.whole_data"),
    ("core.messages",),
    ("core.random_keys",),
    ("core.oracles", "core.leaf_steps"),
    ("core.agent_data.packed_rows",),
    ("core.agent_data.packed",),
    ("core.agent_data.axis", "core.agent_data.stacking"),
    ("core.agent_data.blocks", "core.agent_data.loading"),
    ("core.collective", "core.readings"),
    ("core.problem", "core.step_bounds"),
    ("core.heterogeneity", "core.primal_dual", "core.tracked_steps"),
    ("core.corrections",),
    ("channels",),
    ("hypergradients",),
    ("algorithms",),
    ("metrics", "problems", "running.starting_point"),
    ("engines",),
    ("peers",),
    ("running.argument_types",),
    (
        "running.reference_point",
        "running.snapshot",
        "running.loop",
        "running.stopping",
        "running.progress",
        "running.compilation_cache",
        "running.grid",
    ),
    ("running.preflight", "running.hypergradient_check"),
    ("running.fingerprint",),
    ("running.result",),
    ("running.run",),
    ("running.rows",),
    ("running.solve", "running.tune"),
    ("lab.assignment", "lab.toml_text", "lab.report"),
    ("lab.configuration",),
    ("lab.build",),
    ("lab.experiments",),
    ("lab.deployment", "lab.watching"),
    ("lab.cli",),
    ("__main__", "algorithm", "pytree", "schedules"),
)
# These know nothing of JAX, and of ours only names, checks of arguments, missing packages and a hash.
ALONE = ("networks", "data")
FORBIDDEN = {
    "algorithms": {"engines", "networks", "problems", "core.problem", "core.oracles", "metrics", "data"},
    "hypergradients": {"engines", "networks", "problems", "algorithms", "metrics", "data"},
    "engines": {
        *("algorithms", "problems", "hypergradients", "networks", "data", "metrics"),
        *("core.problem", "core.oracles", "core.agent_data.loading"),
    },
    "core": {"networks", "data", "figures"},
    "metrics": {"algorithms", "engines", "networks", "problems", "data"},
    "problems": {"engines", "algorithms", "networks"},
    "figures": {"support.pytree", "support.compilation", "support.float64", "support.devices"},
}
FILES = sorted(path for path in ROOT.rglob("*.py") if not (path.name == "__init__.py" and path.parent.name in PLAIN))
KNOWN = {name: number for number, names in enumerate(LAYERS) for name in names}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """The longest name of LAYERS (or of ALONE) that a module belongs to."""
    parts = module.split(".")
    names = [".".join(parts[:k]) for k in range(len(parts), 0, -1)]
    return next((name for name in names if name in KNOWN or name in ALONE), module)


def imports(tree: ast.AST) -> set[str]:
    """Every module imported, anywhere in the file, by its full name; a name taken from a module may be one itself."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(path: Path) -> set[str]:
    """The parts of ours that a file imports, its own apart."""
    names = imports(ast.parse(path.read_text()))
    parts = {part_of(name.removeprefix("hypergossip.")) for name in names if name.startswith("hypergossip.")}
    return parts - {part_of(module_of(path))}


def test_every_module_has_its_layer():
    assert {part_of(module_of(path)) for path in FILES} == {*KNOWN, *ALONE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path):
    part = part_of(module_of(path))
    others = ours(path) - {*ALONE, "__version__"}
    above = {other for other in others if other not in KNOWN or KNOWN[other] >= KNOWN.get(part, len(LAYERS))}
    assert not above, f"{part} may not import {', '.join(sorted(above))}"
    assert not ours(path) & FORBIDDEN.get(part.split(".")[0], set())


@pytest.mark.parametrize("part", ALONE)
def test_networks_and_data_know_neither_jax_nor_us(part):
    for path in (ROOT / part).rglob("*.py"):
        assert ours(path) <= {"support.agent_names", "support.arguments", "support.extras", "support.threefry"}, (
            path.name
        )
        assert not any(name.split(".")[0] == "jax" for name in imports(ast.parse(path.read_text()))), path.name


def test_the_measurement_sees_a_wrong_import(monkeypatch):
    wrong = ROOT / "algorithms" / "wrong.py"
    tree = ast.parse("def f():\n    from hypergossip import problems\n    from hypergossip.engines.keys import x\n")
    monkeypatch.setattr(ast, "parse", lambda *_: tree)
    monkeypatch.setattr(Path, "read_text", lambda *_: "")
    assert ours(wrong) == {"problems", "engines"}


HEAVY = ("pandas", "matplotlib", "markdown_it", "networkx", "sklearn", "scipy.sparse")
HEAVY += ("typer", "rich", "pydantic", "pyarrow")
PROBE = """
import sys
import jax
before = set(sys.modules)
import hypergossip
print(sorted(set(sys.modules) - before))
hypergossip.networks.ring(3)
hypergossip.Problem
print([name for name in ("pandas", "matplotlib", "sklearn") if name in sys.modules])
"""


def test_importing_the_library_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    loaded, later = map(ast.literal_eval, done.stdout.splitlines())
    assert not [name for name in loaded if name.startswith(HEAVY)]
    assert [name for name in loaded if name.startswith("hypergossip")] == ["hypergossip"]
    assert later == []
