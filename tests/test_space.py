"""Raveling is a bijection, and the shared entries are exactly those that were marked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypergossip.core.space import Space
from refusals import refused

TREE = {"a": np.arange(6.0).reshape(2, 3), "b": [np.array(6.0), np.arange(7.0, 9.0)], "c": np.zeros((0, 4))}
PARTLY = {"a": False, "b": [True, True], "c": True}


def test_ravel_and_unravel_are_inverse():
    space = Space.of(TREE, True, "upper")
    flat = space.ravel(TREE)
    np.testing.assert_array_equal(flat, np.arange(9.0))
    back = space.unravel(flat)
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    jax.tree.map(np.testing.assert_array_equal, back, TREE)
    assert space.size == 9


@pytest.mark.parametrize(
    ("shared", "entries"),
    [
        (True, range(9)),
        (False, []),
        (PARTLY, [6, 7, 8]),
        ({"a": True, "b": False, "c": False}, range(6)),
        ({"a": True, "b": [False, True], "c": False}, [0, 1, 2, 3, 4, 5, 7, 8]),
        ({"a": np.True_, "b": False, "c": True}, range(6)),
    ],
)
def test_selects_and_replaces_what_is_shared(shared, entries):
    space = Space.of(TREE, shared, "upper")
    vector = jnp.arange(10.0, 19.0)
    mask = np.isin(np.arange(9), list(entries))
    assert space.shared_size == mask.sum()
    np.testing.assert_array_equal(space.select(vector), np.asarray(vector)[mask])
    replaced = space.replace(vector, -jnp.arange(1.0, 1.0 + mask.sum()))
    expected = np.array(vector)
    expected[mask] = -np.arange(1.0, 1.0 + mask.sum())
    np.testing.assert_array_equal(replaced, expected)


def test_neighbouring_shared_leaves_travel_as_one_range():
    assert Space.of(TREE, PARTLY, "upper").shared_ranges == ((6, 9),)
    assert Space.of(TREE, {"a": True, "b": [False, True], "c": False}, "upper").shared_ranges == ((0, 6), (7, 9))


def test_equal_spaces_hash_alike_so_that_programs_are_found_again():
    again = jax.tree.map(np.copy, TREE)
    assert Space.of(TREE, PARTLY, "upper") == Space.of(again, PARTLY, "lower")
    assert hash(Space.of(TREE, PARTLY, "upper")) == hash(Space.of(again, PARTLY, "lower"))
    assert Space.of(TREE, PARTLY, "upper") != Space.of(TREE, True, "upper")


@pytest.mark.parametrize(
    ("tree", "shared", "words"),
    [
        ({"a": np.zeros(2), "n": np.arange(3)}, True, ["lower starting point", "floating", "['n']", "int64"]),
        (np.arange(3), True, ["the array", "int64"]),
        ({}, True, ["no arrays"]),
        (TREE, {"a": True}, ["share", "lower", "prefix"]),
        (TREE, {"a": True, "b": [True], "c": True}, ["share", "prefix"]),
        (TREE, {"a": 1, "b": True, "c": True}, ["share", "True or False"]),
        (TREE, "upper", ["share", "True or False"]),
    ],
)
def test_what_does_not_fit_is_said(tree, shared, words):
    refused(lambda: Space.of(tree, shared, "lower"), words)
