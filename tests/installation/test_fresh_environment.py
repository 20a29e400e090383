"""The library in virtual environments of its own: the core with its six dependencies alone, then with the extra "lab".

`make fresh` runs it. The environments see no other packages; the repository is copied, so that nothing is built in it.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = {"jax", "jaxtyping", "lazy_loader", "numpy", "pandas", "scipy"}
SOLVE = """
import sys
import hypergossip as hg
problem = hg.problems.quadratic(agents=4, noise=0.1)
result = hg.solve(hg.DSGD(0.05, 0.1, hg.ConjugateGradient(5)), problem, hg.networks.ring(4), rounds=200, {options})
assert result.history["metric"].iloc[-1] < 0.2 * result.history["metric"].iloc[0]
hg.networks.torus(3, 3)
for name in ("networkx", "sklearn", "matplotlib", "rich", "typer", "pydantic", "pooch"):
    assert name not in sys.modules, name
"""
# What needs an extra, and which.
MISSING = {
    "result.plot('figure.png')": "lab",
    "hg.data.load('digits')": "data",
    "hg.networks.erdos_renyi(9, 0.3, seed=0)": "networks",
    "hg.networks.random_regular(8, 3, seed=0)": "networks",
    "hg.networks.ring(4).to_networkx()": "networks",
    "hg.networks.from_file('net.gml')": "networks",
    "__import__('hypergossip.problems.actor_critic.parallel', fromlist='x').pettingzoo_modules()": "games",
    "__import__('hypergossip.problems.actor_critic.traffic', fromlist='x').traffic_signals()": "traffic",
    "hg.channels.PrivacyNoise(1.0, 2.0).epsilon(100, 1e-5)": "privacy",
    "__import__('hypergossip.lab.configuration')": "lab",
}


class Environment:
    """A virtual environment, and a copy of the repository that is installed in it."""

    def __init__(self, folder: Path, extra: str) -> None:
        begun = time.monotonic()
        venv.create(folder / "venv", with_pip=True)
        source = folder / "source"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        self.bin, self.folder = folder / "venv" / "bin", folder
        kept = ("PATH", "HOME", "LANG", "http_proxy", "https_proxy", "no_proxy")
        environment = {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}
        self.environment = {**environment, "JAX_PLATFORMS": "cpu"}
        self.run("-m", "pip", "install", "--quiet", f"{source}{extra}", timeout=900)
        print(f"pip install '.{extra}' took {time.monotonic() - begun:.0f} s")

    def run(self, *arguments: str, code: int = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs this environment's Python in the folder, and holds its exit code against the expected one."""
        command = [str(self.bin / "python"), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=timeout
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("core"), "")


def test_the_core_solves_with_its_own_dependencies_alone(core: Environment):
    core.run("-c", SOLVE.format(options="progress=False"))
    listed = core.run("-m", "pip", "list", "--format=freeze").stdout
    installed = {line.partition("==")[0].lower().replace("-", "_") for line in listed.split()}
    assert installed >= CORE
    assert not installed & {"networkx", "matplotlib", "scikit_learn", "rich", "typer", "pydantic", "pyarrow", "pillow"}


@pytest.mark.parametrize("call", MISSING)
def test_a_missing_extra_is_one_sentence_with_the_command_that_installs_it(core: Environment, call: str):
    (core.folder / "net.gml").write_text("graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] ]\n")
    result = (
        "result = hg.solve(hg.DSGD(0.05, 0.1, hg.Exact()), hg.problems.quadratic(4), hg.networks.ring(4), rounds=1)"
    )
    program = f"import hypergossip as hg\n{result if 'result' in call else ''}\n{call}"
    last = core.run("-c", program, code=1).stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        rf".*MissingExtra: [^.]+ needs \w+, which .*: pip install 'hypergossip\[{MISSING[call]}\]'\.", last
    )


def test_the_command_without_its_extra_ends_with_one_sentence(core: Environment):
    for command in ([str(core.bin / "hypergossip"), "list"], [str(core.bin / "python"), "-m", "hypergossip"]):
        done = subprocess.run(command, capture_output=True, text=True, env=core.environment, timeout=60)
        assert done.returncode == 2
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.endswith("is not installed: pip install 'hypergossip[lab]'.")


def test_progress_is_shown_on_a_terminal_without_rich(core: Environment):
    leader, follower = pty.openpty()
    command = [str(core.bin / "python"), "-c", SOLVE.format(options="observe_every=50")]
    program = subprocess.Popen(command, stderr=follower, env=core.environment, cwd=core.folder)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # what Linux answers once the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert program.wait(timeout=60) == 0, shown
    states = re.findall(r"DSGD[^\r]*\] (\d+)/200(  metric \S+)?", shown.decode())
    rounds = [int(round) for round, _ in states]
    assert rounds[0] == 0
    assert rounds[-1] == 200
    assert rounds == sorted(rounds)
    assert states[-1][1]


def test_the_readmes_examples_run_with_the_extra_lab(tmp_path: Path):
    begun = time.monotonic()
    environment = Environment(tmp_path, "[lab]")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    programs = [block for block in blocks if "import hypergossip as hg" in block]
    assert programs
    for program in programs:
        environment.run("-c", program, timeout=600)
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert environment.run("-m", "hypergossip", "list").stdout.startswith("ada_sdbo\talgorithms\t")
    print(f"installed and README's examples run: {time.monotonic() - begun:.0f} s, Python {sys.version.split()[0]}")
