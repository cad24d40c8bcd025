"""Generic mutants: what goes wrong in any section, made from a reference without knowing what it does."""

import numpy as np
import pytest

from nnkit.grader.mutants import KINDS, generic

REFERENCE = '''\
"""Section 13."""

import numpy as np


def scale(x, factor=2.0, *, axis=0):
    """Scale by the largest entry along an axis."""
    return factor * x / np.abs(x).max(axis=axis, keepdims=True)


def parts(x):
    """Return several things."""
    return {"whole": x.sum(), "rows": [x[0], (x[1],)], "name": "x", "count": 3, "yes": True}


def _private(x):
    return x


class Adder:
    """Adds."""

    def __init__(self, start):
        self.start = start

    def add(self, x):
        return self.start + x

    def _hidden(self, x):
        return x


class Empty:
    """Has no method."""
'''


@pytest.fixture(scope="module")
def mutants():
    """Every mutant of the reference, run: by kind and target."""
    found = {}
    for mutant in generic(REFERENCE):
        names = {"__name__": "mutant"}
        exec(mutant.source, names)
        found[mutant.kind, mutant.target] = names
    return found


@pytest.fixture
def x():
    """A square matrix that is no one's transpose, and not symmetric under anything."""
    return np.array([[1.0, -2.0, 0.3], [4.0, 0.1, -6.0], [0.7, 8.0, 9.0]])


def test_every_public_function_and_class_gets_every_kind(mutants):
    """Functions are wrapped one by one, classes as a whole; private names and empty classes are left alone"""
    assert set(mutants) == {(kind, target) for kind in KINDS for target in ("scale", "parts", "Adder")}


def test_zeros_keep_the_shape(mutants, x):
    """Arrays and floats become 0; texts, whole numbers and truth values stay"""
    names = mutants["zeros", "parts"]

    got = names["parts"](x)

    assert (got["whole"], got["name"], got["count"], got["yes"]) == (0.0, "x", 3, True)
    assert np.array_equal(got["rows"][0], np.zeros(3))
    assert np.array_equal(got["rows"][1][0], np.zeros(3))
    assert isinstance(got["rows"][1], tuple)
    assert np.array_equal(names["scale"](x), 2.0 * x / np.abs(x).max(axis=0, keepdims=True)), "only one name is wrapped"


def test_identity_returns_a_copy_of_the_first_array(mutants, x):
    """The result is the first array argument, not the very same"""
    got = mutants["identity", "scale"]["scale"](x)

    assert np.array_equal(got, x)
    assert got is not x


def test_in_place_changes_the_argument_only(mutants, x):
    """The result is right, the argument is not what it was; what cannot be written is left alone"""
    before, right = x.copy(), mutants["zeros", "parts"]["scale"](x)
    frozen = x.copy()
    frozen.flags.writeable = False

    got = mutants["in_place", "scale"]["scale"](x)

    assert np.array_equal(got, right)
    assert np.array_equal(x, before + 1)
    assert np.array_equal(mutants["in_place", "scale"]["scale"](frozen), right)


def test_wrong_axis_turns_the_axis_or_the_result(mutants, x):
    """axis=0 becomes axis=-1 and back; a square result is transposed"""
    right = mutants["zeros", "parts"]["scale"]
    wrong = mutants["wrong_axis", "scale"]["scale"]

    assert np.array_equal(wrong(x), right(x).T)
    assert np.array_equal(wrong(x[:2], axis=0), right(x[:2], axis=-1))


def test_float32_only_loses_digits(mutants, x):
    """A float64 argument is rounded to float32 and comes back as float64, close but not equal"""
    right, got = mutants["zeros", "parts"]["scale"](x), mutants["float32_only", "scale"]["scale"](x)

    assert got.dtype == np.float64
    assert not np.array_equal(got, right)
    assert np.allclose(got, right, rtol=1e-6)


def test_first_sample_only_repeats_the_first_row(mutants, x):
    """Every row of the result is the first"""
    got = mutants["first_sample_only", "scale"]["scale"](x)

    assert (got == got[0]).all()


def test_methods_are_wrapped_and_keep_their_object(mutants, x):
    """A method's mutant still sees its own object, and the constructor stays"""
    adder = mutants["first_sample_only", "Adder"]["Adder"](10.0)

    assert np.array_equal(adder.add(x), np.broadcast_to(10.0 + x[:1], (3, 3)))
    assert np.array_equal(adder._hidden(x), x)


def test_what_gets_no_array_is_as_before(mutants):
    """Kinds that act on an argument do nothing where none is an array of floats"""
    for kind in ("identity", "in_place", "float32_only", "wrong_axis", "first_sample_only"):
        assert mutants[kind, "Adder"]["Adder"](1).add(2) == 3
