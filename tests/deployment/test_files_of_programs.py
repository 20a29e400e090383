"""Files that a user's program needs are copied beside it, and nothing else is."""

import os
import shutil

import numpy as np
import pytest
from plans import PROGRAM, TASK, deployed, written

from calling import call, refused
from hypergossip.lab.deployment import program_files
from hypergossip.lab.deployment.starting import agent_settings

HELPED = PROGRAM.replace("import hypergossip as hg\n", "import hypergossip as hg\nfrom task_helpers import table\n")
HELPED = HELPED.replace("rows = np.random.default_rng(i).normal(size=(5 + i, 2))", "rows = table(i)")
HELPERS = """\
from pathlib import Path

import numpy as np


def table(i):
    return np.load(Path(__file__).parent / "tables" / "more" / "rows.npy") + i
"""


def with_files(*files, task=TASK):
    return task.replace('task.py:make"', f'task.py:make"\nfiles = {list(files)!r}')


def prepared(folder):
    (folder / "tables/more").mkdir(parents=True)
    (folder / "tables/__pycache__").mkdir()
    (folder / "tables/__pycache__/old.pyc").write_bytes(b"")
    (folder / "task_helpers.py").write_text(HELPERS)
    np.save(folder / "tables/more/rows.npy", np.ones((6, 2)))


def test_a_program_finds_its_module_and_its_table_on_a_machine_with_nothing_else(tmp_path):
    prepared(tmp_path)
    made = deployed(tmp_path, with_files("task_helpers.py", "tables/", "tables/more/rows.npy"), HELPED)
    named = [one.path.relative_to(tmp_path / "out").as_posix() for one in made.files if "of the program" in one.meaning]
    assert named == [f"agent-{i}/{name}" for i in range(4) for name in ("task_helpers.py", "tables/more/rows.npy")]
    machine = shutil.copytree(tmp_path / "out/agent-2", tmp_path / "machine")
    assert not (machine / "tables/__pycache__").exists()
    for name in ("out", "tables"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "task_helpers.py").unlink()
    with agent_settings(machine / "agent.toml") as own:
        assert own.problem.identities.tolist() == [2]
    (machine / "tables/more/rows.npy").unlink()
    sentence = refused(call("agent", "--config", machine / "agent.toml"))
    assert "FileNotFoundError" in sentence
    assert "[task] files" in sentence


def test_a_folder_of_the_program_keeps_its_order(tmp_path):
    prepared(tmp_path / "code")
    text = with_files("code/tables", "code/task_helpers.py", task=TASK.replace("task.py", "code/task.py"))
    (tmp_path / "code/task.py").write_text(HELPED)
    deployed(tmp_path, text)
    for name in ("task.py", "task_helpers.py", "tables/more/rows.npy"):
        assert (tmp_path / "out/agent-0" / name).is_file()


def test_a_plan_is_deployed_again_with_changed_files(tmp_path):
    prepared(tmp_path)
    first = deployed(tmp_path, with_files("task_helpers.py", "tables"), HELPED)
    (tmp_path / "task_helpers.py").write_text(HELPERS + "CHANGED = True\n")
    assert deployed(tmp_path, with_files("task_helpers.py", "tables"), HELPED).run == first.run
    assert "CHANGED" in (tmp_path / "out/agent-3/task_helpers.py").read_text()


BAD = {
    "missing": ("helper.py", "there is no such file or folder"),
    "absolute": (os.path.abspath("/etc/hostname"), "relative to the folder of the plan"),
    "outside": ("../secret.txt", "leaves the folder of the plan"),
    "the whole folder": (".", "leaves the folder of the plan, or is that folder"),
    "a link outside": ("link.txt", "symbolic link"),
    "a link outside in a folder": ("linked", "'linked/inner.txt', which leaves"),
    "a folder by a link outside": ("away/secret.txt", "leaves the folder of the plan"),
    "a link to nothing": ("broken", "neither a file nor a folder"),
    "a link to a folder": ("circle", "symbolic link to a folder"),
    "the agent's file": ("agent.toml", "agent.toml is the name of a file that deploy writes"),
    "its key, in capitals": ("AGENT.KEY", "AGENT.KEY is the name of a file that deploy writes"),
    "the folder of its checkpoint": ("state", "state is the name of a file that deploy writes"),
    "the program": ("task.py", "task.py is the name of a file that deploy writes"),
    "not beside the program": ("elsewhere/x.txt", "not inside the folder of the program"),
    "a pipe": ("pipe", "neither a file nor a folder"),
    "too large": ("large.bin", "101 MB together"),
}


@pytest.mark.parametrize("case", BAD)
def test_other_files_are_refused_in_one_sentence_and_nothing_is_written(tmp_path, case):
    name, expected = BAD[case]
    folder = tmp_path / "plan"
    (folder / "linked").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    for link, to in (("link.txt", "../secret.txt"), ("linked/inner.txt", "../../secret.txt"), ("away", "..")):
        (folder / link).symlink_to(to)
    for link, to in (("broken/none", "nothing"), ("circle/back", "../circle")):
        (folder / link).parent.mkdir()
        (folder / link).symlink_to(to)
    for made in ("agent.toml", "AGENT.KEY", "elsewhere/x.txt"):
        (folder / made).parent.mkdir(exist_ok=True)
        (folder / made).write_text("")
    (folder / "state").mkdir()
    os.mkfifo(folder / "pipe")
    with (folder / "large.bin").open("wb") as file:
        file.truncate(program_files.LARGEST_SIZE + 10**6)  # a file without blocks on the disk
    text = with_files(name)
    if case == "not beside the program":
        text = text.replace("task.py", "linked/task.py")
        (folder / "linked/task.py").write_text(PROGRAM)
    sentence = refused(call("deploy", written(folder, text, PROGRAM), "--to", tmp_path / "out"))
    assert expected in sentence
    assert "line 3" in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", ["tables", "out"])
def test_private_keys_of_the_deployment_are_never_copied(tmp_path, named):
    prepared(tmp_path)
    (tmp_path / "out").mkdir()
    path = written(tmp_path, with_files(named), PROGRAM)
    to = tmp_path / "out" if named == "out" else tmp_path / "tables/out"
    sentence = refused(call("deploy", path, "--to", to))
    assert "give another folder with --to" in sentence
    assert not (to / "authority.key").exists()
