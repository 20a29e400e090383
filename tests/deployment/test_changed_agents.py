"""A plan whose agents change while its run goes on: what is refused, and what the user is told."""

import pytest
from plans import PLAN, PROGRAM, TASK, deployed, written

from calling import call, refused

LINE = '{agents}\n[network]\nname = "from_edges"\nn = {n}\nedges = {edges}\n'
NAMED = PLAN[: PLAN.index("[network]")] + PLAN[PLAN.index("[run]") :]
OWN_DATA = TASK.replace('[network]\nname = "ring"\nn = 4\n', "")


def plan(*names, edges, base=OWN_DATA):
    agents = "".join(f'[[agents]]\nname = "{name}"\n' for name in names)
    return base + LINE.format(agents=agents, n=len(names), edges=edges)


def advice(deployment):
    return [note for note in deployment.notes if "restart" in note]


FIRST = {"edges": [[0, 1], [1, 2]]}
LAST = {"edges": [[0, 1], [1, 2], [2, 3]]}


def test_those_with_new_neighbours_are_to_be_restarted(tmp_path):
    first = deployed(tmp_path, plan("a", "b", "c", **FIRST), PROGRAM)
    assert advice(first) == []
    second = deployed(tmp_path, plan("a", "b", "c", "d", **LAST))
    assert second.run == first.run
    (note,) = advice(second)
    assert "restart c one after the other" in note
    assert "start d at any time" in note
    assert advice(deployed(tmp_path, plan("a", "b", "c", "d", **LAST))) == []
    (note,) = advice(deployed(tmp_path, plan("a", "b", "c", **FIRST)))
    assert "restart c one" in note
    assert "start" not in note.partition("restart c")[2]


def test_those_whose_links_have_another_weight_or_whose_neighbours_another_address_are_to_be_restarted(tmp_path):
    given = 'weights = "laplacian"\n'
    deployed(tmp_path, plan("a", "b", "c", "d", **LAST) + given, PROGRAM)
    star = plan("a", "b", "c", "d", edges=[[0, 1], [1, 2], [1, 3]])
    (note,) = advice(deployed(tmp_path, star + given))  # the largest degree decides the weight of every link
    assert "restart a, b, c, d one after the other" in note
    (note,) = advice(deployed(tmp_path, star))
    assert "restart a, b, c, d one after the other" in note
    (note,) = advice(deployed(tmp_path, star.replace('name = "d"', 'name = "d"\nport = 7001')))
    assert "restart b one" in note


def test_all_are_to_be_restarted_if_each_builds_the_whole_problem(tmp_path):
    deployed(tmp_path, plan("a", "b", "c", base=NAMED, **FIRST))
    (note,) = advice(deployed(tmp_path, plan("a", "b", "c", "d", base=NAMED, **LAST)))
    assert "restart a, b, c one after the other" in note


CHANGED = {
    "added before others": (
        plan("a", "d", "b", "c", **LAST),
        "d would be agent 1, which is b in this run; add it at the end",
    ),
    "in another order": (plan("b", "a", "c", **FIRST), "b is agent 1 of this run and would be agent 0"),
    "in the place of another": (plan("a", "d", "c", **FIRST), "d would be agent 1, which is b in this run"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_agents_that_run_could_not_follow_is_refused_and_possible_in_a_new_run(tmp_path, case):
    text, expected = CHANGED[case]
    deployed(tmp_path, plan("a", "b", "c", **FIRST), PROGRAM)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    path = written(tmp_path, text)
    sentence = refused(call("deploy", path, "--to", tmp_path / "out"))
    assert expected in sentence
    assert "--new-run" in sentence
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert call("deploy", path, "--to", tmp_path / "out", "--new-run").exit_code == 0
