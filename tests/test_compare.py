"""Comparisons hold what numpy.isclose holds, ask a hostile object nothing, and say what differs, where and how far."""

import copy
import math
import pickle
import textwrap
import time
from dataclasses import dataclass

import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.grader.compare import (
    Mismatch,
    assert_calm,
    assert_close,
    assert_dtype,
    assert_equal,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
    is_tensor,
    numerical_gradient,
    tensor,
)
from nnkit.grader.errors import CourseError


def failure(check, *args, **options):
    """Return the Mismatch that a check raises."""
    with pytest.raises(Mismatch) as caught:
        check(*args, **options)
    return caught.value


def text_of(check, *args, **options):
    return str(failure(check, *args, **options))


def block(text):
    return textwrap.dedent(text).strip()


# Close


@pytest.mark.parametrize(
    ("yours", "expected"),
    [
        (1.0, 1.0 + 1e-8),
        (np.float64(2.0), 2.0),
        (np.array(2.0), 2.0),
        (2.0, np.array(2.0)),
        (np.float32(0.1), 0.1),
        (3, 3.0),
        (True, 1),
        (10**400, 10**400),
        (1 + 2j, np.array(1 + 2j)),
        (math.nan, math.nan),
        (-math.inf, -math.inf),
        (np.array([0.0, 3.0]), [0, 3]),
        (np.array([0.0, 3.0], ">f8"), np.array([0.0, 3.0], ">f4")),
        (np.array([[1, 2]], np.int8), [[1.0, 2.0]]),
        (np.array([1.0], np.float16), np.array([1.001])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.array([]), []),
        (np.array([math.inf, math.nan]), np.array([math.inf, math.nan])),
        (np.array([True, False]), np.array([1.0, 0.0])),
        (tensor([1.0, 2.0]), [1.0, 2.0]),
        (tensor([1.0], "bfloat16"), [1.01]),
        ([1.0, np.array([2.0])], (1.0, [2.0])),
        (
            {"w": np.eye(2), "lr": 0.1, "name": "sgd", "none": None},
            {"w": np.eye(2), "lr": 0.1, "name": "sgd", "none": None},
        ),
        ((), []),
    ],
)
def test_close_values_pass(yours, expected):
    """numbers, arrays, tensors and containers of them pass when they are close"""
    assert_close(yours, expected)


@pytest.mark.parametrize(
    ("yours", "expected"),
    [
        (1.0, 1.0 + 1e-6),
        (1.0, math.inf),
        (-math.inf, math.inf),
        (math.nan, 0.0),
        (0.0, math.nan),
        (1e308, -1e308),
        (np.array([1e308]), np.array([-1e308])),
        (np.array([1.0]), np.array([math.inf])),
        (np.array([-math.inf]), np.array([math.inf])),
        (np.array([-math.inf], np.float32), np.array([math.inf])),
        (np.array([0.0]), np.array([math.nan])),
        (10_000_000, 10_000_001),
        (2**53 + 1, 2**53),
        (np.array([2**53 + 1]), np.array([2**53])),
        (10**400, 1.0),
        (np.array([-128], np.int8), [128]),
        (np.array([255], np.uint8), np.array([-1])),
        (1 + 2j, 1.0),
        (np.array([1.0]), 1.0),
        (1.0, np.array([1.0])),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(3), np.zeros(4)),
        (np.zeros((0, 3)), np.zeros((3, 0))),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        ([1.0], [1.0, 2.0]),
        (np.zeros((2, 2)), [np.zeros(2), np.zeros(3)]),
        ("1", 1),
        (None, 1.0),
        (1.0, None),
        ("a", "b"),
        (b"a", "a"),
        ({"a": 1.0}, {"a": 2.0}),
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0, "b": 1.0}, {"a": 1.0}),
        ([1.0], {"a": 1.0}),
    ],
)
def test_other_values_do_not(yours, expected):
    """values that are far, of another shape or of another kind fail"""
    failure(assert_close, yours, expected)


def test_the_default_tolerance_follows_the_type_of_the_result():
    """float64 is held to 1e-7, float32 to 4e-6, integers exactly"""
    assert_close(np.array([1 + 3e-6], np.float32), np.array([1.0]))
    failure(assert_close, np.array([1 + 6e-6], np.float32), np.array([1.0]))
    failure(assert_close, np.array([1 + 3e-6]), np.array([1.0], np.float32))
    failure(assert_close, np.array([1000001]), np.array([1000000]), atol=0.5)
    assert_close(np.array([1000001]), np.array([1000000]), rtol=1e-5)
    assert_close(np.array([3]), np.array([4]), atol=1)


finite = st.floats(-1e100, 1e100) | st.sampled_from([math.inf, -math.inf, math.nan, 0.0, -0.0, 5e-324])
shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@given(data=st.data(), shape=shapes, rtol=st.sampled_from([0.0, 1e-7, 0.5]), atol=st.sampled_from([0.0, 1e-3, 10.0]))
def test_close_is_what_numpy_calls_close(data, shape, rtol, atol):
    """assert_close passes exactly where numpy.isclose(..., equal_nan=True) holds everywhere"""
    expected = data.draw(arrays_of.arrays(np.float64, shape, elements=finite))
    factors = data.draw(
        arrays_of.arrays(np.float64, shape, elements=st.sampled_from([1.0, 1 + 1e-8, 1 + 1e-6, 1.5, -1.0]))
    )
    with np.errstate(all="ignore"):
        yours = expected * factors
        close = np.isclose(yours, expected, rtol=rtol, atol=atol, equal_nan=True)

    if close.all():
        assert_close(yours, expected, rtol=rtol, atol=atol)
        assert_close(yours.astype(complex), expected.astype(complex), rtol=rtol, atol=atol)
        assert_close(yours.tolist(), expected.tolist(), rtol=rtol, atol=atol)
    else:
        found = failure(assert_close, yours, expected, rtol=rtol, atol=atol)
        assert found.differing == np.count_nonzero(~close)
        assert found.total == close.size
        assert not close[found.index]
        failure(assert_close, yours.tolist(), expected.tolist(), rtol=rtol, atol=atol)


@given(yours=finite, expected=finite)
def test_floats_and_arrays_are_judged_alike(yours, expected):
    """the short way for floats and the long way for everything come to the same verdict"""
    verdicts = set()
    for mine, right in [
        (yours, expected),
        (np.array(yours), expected),
        (np.array([yours]), np.array([expected])),
        (np.array([yours]), [expected]),
        ([yours], [expected]),
        (np.array([yours], np.longdouble), np.array([expected])),
        (complex(yours), complex(expected)),
    ]:
        try:
            assert_close(mine, right)
            verdicts.add("close")
        except Mismatch:
            verdicts.add("differs")
    assert len(verdicts) == 1


@given(
    arrays_of.arrays(arrays_of.scalar_dtypes(), shapes) | arrays_of.arrays(object, shapes, elements=st.text()),
    arrays_of.arrays(arrays_of.boolean_dtypes() | arrays_of.integer_dtypes() | arrays_of.floating_dtypes(), shapes),
)
def test_no_pair_of_arrays_warns_or_breaks(yours, expected):
    """any two arrays are close or a Mismatch: no warning (pytest makes them errors), no other exception"""
    for check in (assert_close, assert_equal):
        try:
            check(yours, expected)
        except Mismatch as found:
            found.summary()


def test_a_passing_check_is_cheap():
    """the check of a small array takes a few microseconds, not the hundreds of a general comparison"""
    yours, expected = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)

    def seconds():
        start = time.perf_counter()
        for _ in range(200):
            assert_close(yours, expected)
        return (time.perf_counter() - start) / 200

    assert min(seconds() for _ in range(20)) < 50e-6


# What it says


def test_values_differ_in_an_array():
    """one wrong value is shown with its place, and with the largest difference"""
    yours, expected = np.array([[1.0, -0.37], [2.0, 3.0]]), np.array([[1.0, 0.0], [2.0, 3.0]])
    found = failure(assert_close, yours, expected)

    assert str(found) == block("""
        1 of 4 values differ; the first at [0, 1]:
          yours     -0.37
          expected   0
          The largest difference is 0.37 at [0, 1]; allowed: 1e-07 of the expected value.
    """)
    assert found.summary() == "1 of 4 values differ; the first at [0, 1]: yours is -0.37."
    assert (found.kind, found.index, found.yours, found.expected) == ("values", (0, 1), -0.37, 0.0)
    assert (found.worst, found.worst_relative, found.differing, found.total) == (0.37, math.inf, 1, 4)


def test_the_largest_difference_has_its_own_place():
    """the first difference and the largest one may be at different places"""
    assert text_of(assert_close, np.array([1.0, 2.1, 8.0]), [1.0, 2.0, 4.0], atol=1e-3, name="dW") == block("""
        2 of 3 values differ; the first at dW[1]:
          yours     2.1
          expected  2
          The largest difference is 4 at [2] (relative 1); allowed: 1e-07 of the expected value plus 0.001.
    """)


def test_tolerances_of_numpys():
    """Tolerances may be numpy's numbers: the message names them like Python's"""
    text = text_of(assert_close, 3.0, 5.0, rtol=np.float64(0.0), atol=np.float64(0.25))

    assert text.endswith("allowed: 0.25.")


def test_a_number_differs():
    """two numbers are shown with as many digits as it takes to tell them apart"""
    assert text_of(assert_close, 1.0, 1.0000002) == block("""
        The result differs:
          yours     1
          expected  1.0000002
          The largest difference is 2e-07 (relative 2e-07); allowed: 1e-07 of the expected value.
    """)
    assert text_of(assert_equal, 3, 4, name="count") == block("""
        count differs:
          yours     3
          expected  4
          The largest difference is 1 (relative 0.25); allowed: none.
    """)


def test_nan_and_infinity_are_named_first():
    """a NaN among the values is what the message is about, then an infinity"""
    found = failure(assert_close, np.array([9.0, math.inf, math.nan]), [1.0, 2.0, 3.0])

    assert str(found) == block("""
        1 of 3 values is NaN where it should not be; the first at [2]:
          yours     nan
          expected  3
          2 more differ.
          The largest difference is 8 at [0] (relative 8); allowed: 1e-07 of the expected value.
    """)
    assert (found.kind, found.differing) == ("nan", 3)
    assert text_of(assert_close, np.array([1.0, math.inf]), [1.0, 2.0]) == block("""
        1 of 2 values is infinite where it should not be; the first at [1]:
          yours     inf
          expected  2
    """)
    assert (
        failure(assert_close, -math.inf, 1.0).summary()
        == "The result is infinite where it should not be: yours is -inf."
    )


def test_the_path_to_the_first_difference_in_a_container():
    """in lists and dicts the place is written as Python would write it"""
    expected = [{"w": np.zeros((2, 3)), "b": np.zeros(3)}]
    yours = copy.deepcopy(expected)
    yours[0]["w"][1, 2] = 5.0

    assert text_of(assert_close, yours, expected).startswith(
        "1 of 6 values differ; the first at result[0]['w'][1, 2]:\n"
    )
    assert failure(assert_close, yours, expected).where == "result[0]['w']"
    assert (
        text_of(assert_close, [{"w": 1.0}], [{"w": None}], name="state") == "state[0]['w'] is a number; expected None."
    )
    assert text_of(assert_close, (1.0, 2.0), (1.0, 3.0)).startswith("result[1] differs:\n")


@pytest.mark.parametrize(
    ("yours", "expected", "says"),
    [
        (np.zeros((3, 2)), np.zeros((2, 3)), "The result has shape (3, 2); expected (2, 3): it looks transposed."),
        (np.zeros((3, 2, 4)), np.zeros((2, 3, 4)), "The result has shape (3, 2, 4); expected (2, 3, 4): the same axes in another order."),
        (np.zeros((3, 1)), np.zeros(3), "The result has shape (3, 1); expected (3,): they differ in axes of length 1."),
        (np.zeros(4), np.zeros(3), "The result has shape (4,); expected (3,)."),
        (np.zeros(1), 0.0, "The result is an array of shape (1,); expected a number."),
        (0.0, np.zeros(3), "The result is a number; expected an array of shape (3,)."),
        (None, np.zeros(3), "The result is None; expected an array of shape (3,). Is a `return` missing?"),
        ([1, 2], np.zeros(2), "The result is a list of 2 items; expected an array of shape (2,)."),
        (np.zeros(2), [0.0, "a"], "The result is an array of shape (2,); expected a list of 2 items."),
        (len, 1.0, "The result is an object of class builtin_function_or_method; expected a number."),
        (lambda: 1, 1.0, "The result is a function; expected a number."),
        ("3", 3, "The result is a text; expected a number."),
        (3, "3", "The result is a number; expected a text."),
        (True, None, "The result is a bool; expected None."),
        ([1.0], [1.0, 2.0], "The result has 1 item; expected 2."),
        ({"a": 1}, {"a": 1, "b": 2, "c": 3}, "The result lacks the key 'b' and 'c'."),
        ({"a": 1, "z": 2}, {"a": 1}, "The result has the key 'z', which is not expected."),
        ({len: 1}, {"a": 1}, "The result has a key that is an object of class builtin_function_or_method."),
        (np.array(["a"]), np.zeros(1), "The result is an array of str32; expected an array of shape (1,)."),
        (np.array([None]), np.zeros(1), "The result is an array of object; expected an array of shape (1,)."),
    ],
)  # fmt: skip
def test_one_sentence_for_what_is_not_comparable(yours, expected, says):
    """a wrong shape or type is one sentence with both sides"""
    found = failure(assert_close, yours, expected)

    assert str(found) == says
    assert found.summary() == says


def test_a_name_may_be_code_or_words():
    """the place stands behind code, and before words"""
    wrong, right = np.zeros((2, 3)), np.eye(2, 3)
    for name, place in [
        ("relu(x, alpha)", "relu(x, alpha)[0, 0]"),
        ("the sums of the rows", "[0, 0] of the sums of the rows"),
    ]:
        assert f"; the first at {place}:\n" in text_of(assert_close, wrong, right, name=name)
    assert text_of(assert_close, 1.0, None, name="the mean") == "The mean is a number; expected None."


def test_a_mismatch_survives_copying_and_pickling():
    """a Mismatch can be sent to another process"""
    found = failure(assert_close, 1.0, 2.0)

    for twin in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert (str(twin), twin.summary(), twin.kind, twin.worst) == (str(found), found.summary(), "values", 1.0)


def test_the_summary_holds_no_expected_value():
    """summary() tells neither the expected value nor the distance to it"""
    for yours, expected in [(1.0, 7.25), (np.zeros(3), np.full(3, 7.25)), ("a", "7.25"), (math.nan, 7.25), (1, 7)]:
        assert "7" not in failure(assert_close, yours, expected).summary()


# Hostile objects


class Touched(BaseException):
    """Raised by a trap; no `except Exception` swallows it."""


def trap(*args, **kwargs):
    raise Touched


NAMES = """eq ne lt le hash array array_ufunc array_priority float int index bool len iter getitem contains repr str
format getattr getattribute sub rsub abs instancecheck"""
TRAPS = {f"__{name}__": trap for name in NAMES.split()}


class Meta(type):
    __name__ = property(trap)
    __instancecheck__ = trap
    __subclasscheck__ = trap
    __eq__ = trap
    __hash__ = type.__hash__
    __repr__ = trap


def hostile(*bases):
    return type("Liar", bases, TRAPS | {"__class__": property(trap)})


@pytest.mark.parametrize(
    "base", [(), (str,), (int,), (float,), (list,), (dict,), (tuple,), (np.ndarray,), (np.float64,)]
)
@pytest.mark.parametrize("expected", [1.0, np.zeros(3), "a", None, [1.0], {"a": 1.0}], ids=repr)
def test_a_hostile_object_is_asked_nothing(base, expected):
    """an object of an unknown class fails, and none of its methods is called"""
    liar = hostile(*base)
    value = np.zeros(3).view(liar) if base == (np.ndarray,) else liar.__new__(liar)

    for check in (assert_close, assert_equal):
        assert "is an object of class Liar; expected " in text_of(check, value, expected)
    for check, what in ((assert_dtype, "float64"), (assert_shape, (3,))):
        assert "is an object of class Liar; expected " in text_of(check, value, what)


def test_a_hostile_metaclass_is_asked_nothing():
    """not even the name of the class is asked of its metaclass"""
    liar = Meta("Sly", (), {"__eq__": trap})

    assert text_of(assert_close, liar(), 1.0) == "The result is an object of class Sly; expected a number."
    assert text_of(assert_close, [liar()], [1.0]) == "result[0] is an object of class Sly; expected a number."


def test_a_hostile_key_is_asked_nothing():
    """a dict's keys are looked at before one is looked up"""

    class Key:
        armed = False

        def __hash__(self):
            return hash("a")

        def __eq__(self, other):
            raise Touched

    assert "has a key that is an object of class Key" in text_of(assert_close, {Key(): 1.0}, {"a": 1.0})
    assert "has a key that is an object of class tuple" not in text_of(assert_close, {("a", 1): 1.0}, {"a": 1.0})
    assert "has a key that is a tuple" in text_of(assert_close, {(Key(),): 1.0}, {"a": 1.0})


def test_a_list_that_holds_itself_is_no_trap():
    """a list within itself is compared only as deep as the expected value goes"""
    loop = []
    loop.append(loop)

    assert text_of(assert_close, loop, [[[1.0]]]) == "result[0][0][0] is a list of 1 item; expected a number."


def test_names_of_classes_stay_on_one_line():
    """a class's name is escaped and shortened"""
    said = text_of(assert_close, type("A\nyours \u202e" + "x" * 500, (), {})(), 1.0)

    assert "\n" not in said
    assert "\u202e" not in said
    assert len(said) < 200


def test_a_handle_is_named_by_what_it_stands_for():
    """an object that stayed with the student's code is named by its class there"""

    class Handle:
        def __init__(self, name):
            object.__setattr__(self, "_type_name", name)

        def __getattr__(self, name):
            raise Touched

    assert text_of(assert_close, Handle("Adam"), 1.0) == "The result is an object of class Adam; expected a number."
    assert text_of(assert_close, Handle("generator"), 1.0) == "The result is a generator; expected a number."
    assert text_of(assert_close, Handle(7), 1.0) == "The result is an object of class Handle; expected a number."


def test_what_a_suite_cannot_expect():
    """an expected value that cannot be compared is an error of the suite, not of the student"""
    with pytest.raises(CourseError, match="A suite expects an object of class object"):
        assert_close(1.0, object())


def test_long_numbers_and_texts_are_shortened():
    """a whole number or text of any length makes a short message"""
    assert len(text_of(assert_equal, "x" * 10**6, "y")) < 200
    assert len(text_of(assert_equal, 10**5000, 1)) < 200
    assert "a whole number of 16,610 bits" in text_of(assert_equal, {"a": 1, 10**5000: 1}, {"a": 1})


# Exactly equal


@pytest.mark.parametrize(
    ("yours", "expected"),
    [
        (3, 3),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (0.0, -0.0),
        (math.nan, math.nan),
        (np.array([1, 2]), [1, 2]),
        (np.array([], np.int64), []),
        (np.array([True]), [True]),
        ("relu", "relu"),
        ([1, "a", None], [1, "a", None]),
        ({"n": 1, "x": (1.0,)}, {"n": 1, "x": (1.0,)}),
    ],
)
def test_equal_values_pass(yours, expected):
    """the same values of the same types of number are equal, whatever their width"""
    assert_equal(yours, expected)


@pytest.mark.parametrize(
    ("yours", "expected", "says"),
    [
        (3.0, 3, "The result is of type float; expected int."),
        (1, True, "The result is of type int; expected bool."),
        (True, 1, "The result is of type bool; expected int."),
        (np.array([1.0]), [1], "The result holds numbers of type float; expected int."),
        ((1,), [1], "The result is a tuple of 1 item; expected a list of 1 item."),
        ("a", "b", "The result differs:\n  yours     'a'\n  expected  'b'"),
    ],
)  # fmt: skip
def test_unequal_values_do_not(yours, expected, says):
    """another value, type of number or container is not equal"""
    assert text_of(assert_equal, yours, expected) == says


def test_equal_leaves_no_room():
    """the neighbour of a float is another float, and is shown so"""
    assert text_of(assert_equal, np.nextafter(1.0, 2.0), 1.0) == block("""
        The result differs:
          yours     1.0000000000000002
          expected  1
          The largest difference is 2.22e-16 (relative 2.2e-16); allowed: none.
    """)


# One property


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.zeros(2, np.float32), np.float32),
        (np.zeros(2, np.int64), "int64"),
        (np.float32(1), "float32"),
        (1.0, float),
        (1, int),
        (tensor([1.0], "bfloat16"), "bfloat16"),
        (tensor(np.zeros(2, np.float32)), np.float32),
    ],
)
def test_dtypes_that_agree_pass(value, dtype):
    """arrays, tensors and numbers have a dtype"""
    assert_dtype(value, dtype)


def test_dtypes_that_do_not_are_told():
    """both dtypes are in the sentence"""
    assert text_of(assert_dtype, np.zeros(2), np.float32) == "The result has dtype float64; expected float32."
    assert (
        text_of(assert_dtype, tensor([1.0], "bfloat16"), "float32", name="y")
        == "y has dtype bfloat16; expected float32."
    )
    assert text_of(assert_dtype, [1.0], float) == "The result is a list of 1 item; expected an array of float64."


def test_shapes():
    """a shape is held or told"""
    assert_shape(np.zeros((2, 3)), (2, 3))
    assert_shape(1.0, ())
    assert (
        text_of(assert_shape, np.zeros((2, 3)), [3, 2])
        == "The result has shape (2, 3); expected (3, 2): it looks transposed."
    )
    assert text_of(assert_shape, [1.0], (1,)) == "The result is a list of 1 item; expected an array of shape (1,)."


def test_tensors_say_that_they_are():
    """tensor and is_tensor are at hand for suites"""
    assert is_tensor(tensor([1.0]))
    assert not is_tensor(np.zeros(1))


def test_float32_atol_grows_with_the_root_of_the_length():
    """16 * eps * sqrt(K) * scale"""
    assert float32_atol(4, 3.0) == 16 * 2.0**-23 * 2 * 3


# Gradients

rng = np.random.default_rng(3)
X, W, UP = rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), rng.standard_normal((3, 2))


def test_right_gradients_pass():
    """matrix product, tanh and a number-valued loss agree with central differences"""
    assert_gradient(UP @ W, lambda x: x @ W.T, X, UP)
    assert_gradient(UP.T @ X, lambda w: X @ w.T, W, UP)
    up = rng.standard_normal(X.shape)
    assert_gradient(up * (1 - np.tanh(X) ** 2), np.tanh, X, up)
    assert_gradient(2 * X, lambda x: float((x**2).sum()), X, 1.0)
    np.testing.assert_allclose(numerical_gradient(lambda x: x**3, 2.0, 1.0), 12.0, rtol=1e-8)


def test_wrong_gradients_do_not():
    """a gradient that is wrong by a part in 100,000, transposed or for upstream ones fails"""
    failure(assert_gradient, UP @ W * (1 + 1e-5), lambda x: x @ W.T, X, UP)
    failure(assert_gradient, np.ones_like(UP) @ W, lambda x: x @ W.T, X, UP)
    assert "it looks transposed" in text_of(assert_gradient, (UP @ W).T, lambda x: x @ W.T, X, UP)


def test_the_function_gets_arrays_of_its_own():
    """a function that changes its argument spoils nothing, and is called 2 * size + 1 times"""
    calls = []

    def spoils(x):
        calls.append(1)
        result = x**2
        x[:] = 0
        return result

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(numerical_gradient(spoils, x, np.ones(3)), [2.0, 4.0, 6.0], rtol=1e-8)
    assert x.tolist() == [1.0, 2.0, 3.0]
    assert len(calls) == 7


def test_a_function_of_the_wrong_shape_or_type_is_told():
    """what the function returns is asked like every result"""
    assert text_of(numerical_gradient, lambda x: None, X, UP).startswith(
        "function(x) is None; expected an array of shape (3, 2)"
    )
    assert text_of(numerical_gradient, lambda x: x, X, UP) == "function(x) has shape (3, 4); expected (3, 2)."


def test_a_function_that_overflows_gives_a_mismatch():
    """NaN from the function is a failure without a warning"""
    failure(assert_gradient, np.zeros(2), lambda x: np.exp(x * 1e4), np.ones(2), np.ones(2))


# Behaviour


def refuse(text):
    def call(x, alpha=1):
        raise ValueError(text) if text else ValueError

    return call


def test_a_refusal_names_the_argument():
    """a ValueError with the argument's name passes"""
    assert_refuses(refuse("leaky_relu: alpha must not be negative"), 1, naming="alpha", alpha=-1)
    assert_refuses(refuse("`alpha`=-1"), 1, naming="alpha")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: x, "The call accepted a bad `alpha`; expected a ValueError whose text names `alpha`."),
        (refuse("alphabet"), "The call raised ValueError with the text 'alphabet'; expected a ValueError whose text names `alpha`."),
        (refuse(""), "The call raised ValueError without a text; expected a ValueError whose text names `alpha`."),
        (lambda x: [][x], "The call raised IndexError (list index out of range); expected a ValueError whose text names `alpha`."),
    ],
)  # fmt: skip
def test_what_is_no_refusal(call, says):
    """no error, another error and a text without the name are told"""
    assert text_of(assert_refuses, call, 1, naming="alpha") == says


def test_what_passes_through_a_refusal():
    """an unwritten function, and an error that is not Python's own, say more than we could"""

    class Ours(Exception):
        pass

    def raises(error):
        raise error

    for error in (
        NotImplementedError("section 13: write relu"),
        TimeoutError(),
        MemoryError(),
        Ours(),
        KeyboardInterrupt(),
    ):
        with pytest.raises(type(error)):
            assert_refuses(raises, error, naming="alpha")


def test_a_hostile_text_of_an_error_is_asked_nothing():
    """an error's text is read without calling anything of its class"""

    class Sly(ValueError):
        __str__ = trap
        args = property(trap)

    def call():
        raise Sly("alpha", hostile()())

    assert_refuses(call, naming="alpha")


@dataclass
class Seen:
    flags: frozenset = frozenset()
    warnings: tuple = ()
    changed: tuple = ()
    shares_memory: tuple = ()
    random_state_changed: bool = False
    default_dtype_changed: bool = False
    exception: str | None = None
    printed: bool = False


def test_a_quiet_call_passes_all_observations():
    """a call that did nothing beside its result passes; underflow is allowed"""
    for check in (assert_calm, assert_leaves_inputs_alone, assert_leaves_random_state_alone):
        check(Seen(flags=frozenset({"under"})))


@pytest.mark.parametrize(
    ("check", "seen", "says"),
    [
        (assert_calm, Seen(flags=frozenset({"over", "invalid"})), "On the way to the result there was a number that overflowed and an invalid operation (NaN); expected none, also for extreme inputs."),
        (assert_calm, Seen(warnings=("overflow\nin exp",)), "On the way to the result there was the warning 'overflow\\nin exp'; expected none, also for extreme inputs."),
        (assert_leaves_inputs_alone, Seen(changed=("x",)), "The call changed its argument x in place; work on a copy."),
        (assert_leaves_inputs_alone, Seen(shares_memory=("x", "y")), "The result shares memory with the argument x and y; return a new array."),
        (assert_leaves_random_state_alone, Seen(random_state_changed=True), "The call changed a global random state; draw from a generator of your own (np.random.default_rng(seed))."),
        (assert_leaves_random_state_alone, Seen(default_dtype_changed=True), "The call changed the default dtype; give each array its dtype instead."),
    ],
)  # fmt: skip
def test_what_was_noticed_is_told(check, seen, says):
    """each observation has its sentence"""
    assert text_of(check, seen) == says


def test_helpers_do_not_show_in_tracebacks():
    """pytest shows the line of the suite, none of ours"""
    with pytest.raises(Mismatch) as caught:
        assert_close([{"w": np.zeros(2)}], [{"w": np.ones(2)}])

    own = [entry for entry in caught.traceback if entry.path.name == "compare.py"]
    assert own
    assert all(entry.ishidden(caught) for entry in own)
