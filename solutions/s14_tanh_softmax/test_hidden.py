"""Section 14: tanh and softmax. Hidden tests.

Where no tolerance is given, 1e-7 is meant: correct formulas differ from each other by rounding alone, below 1e-13 for
the sizes used here, and every known mistake is off by 1e-3 or more.
"""

from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refused,
    assert_refuses,
    float32_atol,
)

# From small to large, so that the first failure is a small one. Square ones cannot give a wrong axis away by their shape.
SHAPES = [(3,), (1, 4), (3, 3), (2, 5), (4, 1), (3, 3, 3), (2, 3, 4), (2, 2, 2, 2), (2, 3, 4, 5)]


def on_every_axis(rng, shapes):
    """Scores of each shape with each of their axes, counted from the front and from the end."""
    return [(x, axis) for x in (3 * rng.standard_normal(shape) for shape in shapes) for axis in range(-x.ndim, x.ndim)]


def plain_softmax(x, axis=-1):
    """Return the textbook's softmax, good for small numbers."""
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


@weight(1)
@number("14.H1")
def test_tanh_in_any_shape(student, rng):
    """tanh agrees with (e^x - e^-x) / (e^x + e^-x) in any shape"""
    inputs = [2 * rng.standard_normal(shape) for shape in [(), (4,), (1, 3), (3, 3), (2, 3, 4)]]
    for x, yours in zip(inputs, student.together(partial(student.tanh, x) for x in inputs), strict=True):
        assert_close(yours, np.tanh(x))


@weight(2)
@number("14.H1")
def test_tanh_of_huge_numbers(student, rng):
    """tanh of numbers up to 800 and of infinity is 1 or -1, without an overflow"""
    size = np.concatenate([rng.uniform(20, 700, 3), rng.uniform(720, 800, 3), [800.0, np.inf]])

    inputs = [size, -size, rng.permutation(np.concatenate([size, -size]))]
    values = student.together(partial(student.tanh, x) for x in inputs)
    assert_calm(student.observed)
    for x, yours in zip(inputs, values, strict=True):
        # Beyond 20 the true value is closer than 1e-17 to 1; two roundings of 1e-16 are allowed for, and more.
        assert_close(yours, np.sign(x), rtol=1e-14)


@weight(2)
@number("14.H1")
def test_tanh_keeps_its_digits_near_zero(student, rng):
    """tanh is right to nine digits for numbers from 1e-12 to 1e-3, is 0 at 0, and odd"""
    x = 10.0 ** rng.uniform(-12, -3, 12)

    far = np.array([750.0])  # not judged here: it tells the diagnosis which formula was used
    _, positive, negative, tiny = student.together(
        partial(student.tanh, each) for each in (far, x, -x, np.array([0.0, 1e-9]))
    )
    assert_close(positive, np.tanh(x), rtol=1e-9)
    assert_close(negative, -np.tanh(x), rtol=1e-9)
    assert_close(tiny, [0.0, 1e-9], rtol=1e-9)


@weight(3)
@number("14.H2")
def test_softmax_along_every_axis(student, rng, reference):
    """softmax normalises along the axis it is given, for arrays of 1 to 4 axes"""
    for shapes in (SHAPES[:4], SHAPES[4:]):  # the small ones first
        cases = on_every_axis(rng, shapes)
        values = student.together(partial(student.softmax, x, axis=axis) for x, axis in cases)
        for (x, axis), yours in zip(cases, values, strict=True):
            assert_close(yours, reference.softmax(x, axis=axis), name=f"softmax, axis={axis}")


@weight(2)
@number("14.H2")
def test_softmax_uses_the_last_axis_by_default(student, rng, reference):
    """softmax and log_softmax normalise along the last axis when none is given"""
    inputs = [3 * rng.standard_normal(shape) for shape in SHAPES]
    *values, log_p = student.together(
        [*(partial(student.softmax, x) for x in inputs), partial(student.log_softmax, inputs[-1])]
    )
    for x, yours in zip(inputs, values, strict=True):
        assert_close(yours, reference.softmax(x, axis=-1))
    assert_close(log_p, reference.log_softmax(inputs[-1], axis=-1), atol=1e-12)


@weight(2)
@number("14.H2")
def test_log_softmax_along_every_axis(student, rng, reference):
    """log_softmax works along the axis it is given, for arrays of 1 to 4 axes"""
    for shapes in (SHAPES[:4], SHAPES[4:]):  # the small ones first
        cases = on_every_axis(rng, shapes)
        values = student.together(partial(student.log_softmax, x, axis=axis) for x, axis in cases)
        for (x, axis), yours in zip(cases, values, strict=True):
            # atol: where p is close to 1 its logarithm is a small difference of numbers up to 10, rounded to 1e-15.
            assert_close(yours, reference.log_softmax(x, axis=axis), atol=1e-12, name=f"log_softmax, axis={axis}")


@weight(1)
@number("14.H3")
def test_shift_and_order(student, rng):
    """adding one number to all scores of a row changes nothing, and reordered scores give reordered probabilities"""
    cases = [
        (rng.standard_normal((3, size)), rng.uniform(-1500, 1500, (3, 1)), rng.permutation(size)) for size in (2, 3, 7)
    ]
    values = student.together(
        partial(student.softmax, y) for x, shift, order in cases for y in (x[:, order], x + shift)
    )
    for (x, _, order), reordered, shifted in zip(cases, values[::2], values[1::2], strict=True):
        expected = plain_softmax(x)
        # x + 1500 is rounded to 1.2e-13, so the probabilities move by as much.
        assert_close(reordered, expected[:, order])
        assert_close(shifted, expected)


@weight(2)
@number("14.H3")
def test_temperature_divides_the_scores(student, rng):
    """softmax(x, temperature=T) is softmax(x / T), for T from 0.2 to 5, along any axis"""
    temperatures = [*rng.uniform(0.2, 0.8, 3), *rng.uniform(1.3, 5, 3)]
    cases = [(rng.standard_normal((3, 4)), int(rng.integers(-2, 2)), float(T)) for T in temperatures]
    values = student.together(partial(student.softmax, x, axis=axis, temperature=T) for x, axis, T in cases)
    for (x, axis, T), p in zip(cases, values, strict=True):
        assert_close(p, plain_softmax(x / T, axis), name=f"softmax, temperature={T:.3g}")


@weight(1)
@number("14.H3")
def test_temperature_at_its_ends(student, rng):
    """a temperature near 0 gives 1 to the largest score of a row, a huge one gives all the same"""
    x = rng.permuted(np.tile(np.arange(5.0), (4, 1)), axis=1)

    # The scores are 1 apart: divided by 0.001 that is 1000, and exp(-1000) is 0.
    assert_close(student.softmax(x, temperature=1e-3), (x == 4.0).astype(np.float64), atol=1e-12)
    assert_calm(student.observed)
    # The scores span 4: divided by 1e6 that is 4e-6, and no probability is further than that share from 1/5.
    assert_close(student.softmax(x, temperature=1e6), np.full(x.shape, 0.2), rtol=4.1e-6)


@weight(1)
@number("14.H3")
def test_two_classes_are_a_sigmoid(student, rng):
    """softmax([z, 0]) begins with sigmoid(z), for z from -30 to 30"""
    z = rng.uniform(-30, 30, 9)
    p = student.softmax(np.stack([z, np.zeros(9)], axis=1))

    assert_close(p[:, 0], 1 / (1 + np.exp(-z)))


@weight(3)
@number("14.H4")
def test_log_of_a_vanishing_probability(student, rng):
    """log_softmax([0, -800]) is [0, -800], for gaps up to 5000 and in either order"""
    gaps = [800.0, *rng.uniform(750, 5000, 3)]
    values = student.together(
        call
        for gap in gaps
        for call in (
            partial(student.log_softmax, np.array([0.0, -gap])),
            partial(student.log_softmax, np.array([[gap], [0.0]]), axis=0),
        )
    )
    assert_calm(student.observed)
    for gap, row, column in zip(gaps, values[::2], values[1::2], strict=True):
        # The exact first value is -exp(-gap), which is 0.
        assert_close(row, [0.0, -gap], atol=1e-9)
        assert_close(column, [[0.0], [-gap]], atol=1e-9)


@weight(1)
@number("14.H4")
def test_minus_infinity_in_softmax(student, rng):
    """a score of -inf gets probability 0 exactly, and the others share the rest"""
    for scale in (1.0, 500.0):
        x = scale * rng.standard_normal((3, 4))
        kept = plain_softmax((x - x[:, [0, 2]].max(axis=1, keepdims=True))[:, [0, 2]])
        x[:, [1, 3]] = -np.inf
        p = student.softmax(x)

        assert_close(p[:, [1, 3]], np.zeros((3, 2)), name="the probabilities of -inf")
        # 500 * eps is the rounding of a score; a probability that small moves by the same share.
        assert_close(p[:, [0, 2]], kept, atol=1e-12, name="the other probabilities")
        assert_calm(student.observed)


@weight(1)
@number("14.H4")
def test_minus_infinity_in_log_softmax(student, rng):
    """a score of -inf stays -inf in log_softmax, and the others are as if it were not there"""
    x = 3 * rng.standard_normal((3, 4))
    x[:, 1] = -np.inf
    kept = np.log(plain_softmax(x[:, [0, 2, 3]]))
    log_p = student.log_softmax(x)

    assert_close(log_p[:, 1], np.full(3, -np.inf), name="the values of -inf")
    assert_close(log_p[:, [0, 2, 3]], kept, atol=1e-12, name="the other values")
    assert_calm(student.observed)


def rows_of_different_size(rng):
    """Return rows near 0, 2000 and -2000 in some order, and a last one that holds 0 and -3000 together."""
    x = rng.permutation([0.0, 2000.0, -2000.0])[:, None] + 3 * rng.standard_normal((3, 2))
    return np.concatenate([x, [[0.0, -3000.0]]])


@weight(3)
@number("14.H5")
def test_rows_of_very_different_size(student, rng, reference):
    """softmax is right for [[0, 0], [2000, 2000], [-2000, -2001]] and the like, without an overflow"""
    given = np.array([[0.0, 0.0], [2000.0, 2000.0], [-2000.0, -2001.0]])
    for x in (given, rows_of_different_size(rng)):
        rows, columns = student.together([partial(student.softmax, x), partial(student.softmax, x.T, axis=0)])
        assert_calm(student.observed)
        # 2000 is rounded to 2.3e-13, and so is the share of a probability.
        assert_close(rows, reference.softmax(x))
        assert_close(columns, reference.softmax(x).T)


@weight(2)
@number("14.H5")
def test_log_softmax_of_very_different_rows(student, rng, reference):
    """log_softmax is right for [[0, 0], [2000, 2000], [-2000, -2001]] and the like, without an overflow"""
    given = np.array([[0.0, 0.0], [2000.0, 2000.0], [-2000.0, -2001.0]])
    for x in (given, rows_of_different_size(rng)):
        rows, columns = student.together([partial(student.log_softmax, x), partial(student.log_softmax, x.T, axis=0)])
        assert_calm(student.observed)
        # Adding to 2000 and taking it away again costs 4.6e-13.
        assert_close(rows, reference.log_softmax(x), atol=1e-11)
        assert_close(columns, reference.log_softmax(x).T, atol=1e-11)


@weight(2)
@number("14.H6")
def test_slope_of_tanh_from_its_output(student, rng):
    """tanh_grad(tanh(x)) is the derivative of tanh at x, in any shape"""
    cases = [rng.uniform(-3, 3, (2, *shape)) for shape in [(5,), (3, 3), (2, 1, 4)]]
    *slopes, at_the_ends = student.together(
        [
            *(partial(student.tanh_grad, np.tanh(x)) for x, _ in cases),
            partial(student.tanh_grad, np.array([-1.0, 1.0])),
        ]
    )
    for (x, upstream), slope in zip(cases, slopes, strict=True):
        assert_gradient(slope * upstream, np.tanh, x, upstream, name="tanh_grad")
    # 1 - t^2 is 0 at both ends; 2e-16 is one rounding of 1.
    assert_close(at_the_ends, [0.0, 0.0], atol=1e-15, name="tanh_grad")


@weight(3)
@number("14.H6")
def test_gradient_through_softmax(student, rng):
    """softmax_backward agrees with finite differences along every axis, for a random upstream gradient"""
    cases = []
    for shape in [(3,), (3, 3), (2, 4), (2, 3, 2)]:
        x, upstream = rng.standard_normal((2, *shape))
        cases += [(x, upstream, axis) for axis in range(-len(shape), len(shape))]
    *values, of_plain = student.together(
        [
            *(partial(student.softmax_backward, plain_softmax(x, axis), up, axis=axis) for x, up, axis in cases),
            partial(student.softmax_backward, np.array([0.0, 1.0]), np.array([5.0, 7.0])),
        ]
    )
    for (x, upstream, axis), yours in zip(cases, values, strict=True):
        assert_gradient(yours, lambda z, axis=axis: plain_softmax(z, axis), x, upstream, name=f"dx, axis={axis}")
    assert_close(of_plain, [0.0, 0.0])


@weight(1)
@number("14.H6")
def test_constant_upstream_gives_no_gradient(student, rng):
    """an upstream gradient that is the same number in a whole row gives gradient 0: the sum of a row cannot change"""
    p = plain_softmax(rng.standard_normal((3, 4)))
    upstream = np.tile(rng.uniform(1, 9, (3, 1)), (1, 4))

    # Numbers up to 9, rounded to 1e-15.
    assert_close(student.softmax_backward(p, upstream), np.zeros((3, 4)), atol=1e-13)


@weight(2)
@number("14.H7")
def test_softmax_is_fast(speed, rng):
    """softmax of 100 by 300 scores takes at most 8 times the time of the reference"""
    # Measured, also on a busy machine: a slice at a time up to 4.9 times, a Python loop over every score 20 and more.
    speed.at_most(8, lambda module, x: module.softmax(x), lambda: (rng.standard_normal((100, 300)),))


@weight(1)
@number("14.H8")
def test_inputs_stay_as_they_were(student, rng):
    """no function changes its arguments or returns memory of theirs"""
    x, upstream = rng.standard_normal((2, 3, 4))
    student.together(
        [
            partial(student.tanh, x),
            partial(student.tanh_grad, np.tanh(x)),
            partial(student.softmax, x),
            partial(student.log_softmax, x),
            partial(student.softmax_backward, plain_softmax(x), upstream),
            partial(student.tanh, np.zeros(3)),  # here the result equals the argument
            partial(student.softmax, np.array([[1.0], [1.0]])),
        ]
    )
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("14.H9")
def test_dtypes(student, rng):
    """float32 gives float32; float64, integers and booleans give float64"""
    x, upstream = rng.standard_normal((2, 3, 5))
    t, p = np.tanh(x), plain_softmax(x)
    whole = rng.integers(-3, 4, (4, 3))
    calls = [
        ("tanh", np.tanh, x),
        ("tanh_grad", lambda t: 1 - t**2, t),
        ("softmax", plain_softmax, x),
        ("log_softmax", lambda x: np.log(plain_softmax(x)), x),
        ("softmax_backward", lambda p, u: p * (u - (p * u).sum(axis=-1, keepdims=True)), p, upstream),
    ]
    both = student.together(
        partial(getattr(student, name), *(a.astype(dtype) for a in arguments))
        for name, _, *arguments in calls
        for dtype in (np.float64, np.float32)
    )
    for (name, plain, *arguments), wide, single in zip(calls, both[::2], both[1::2], strict=True):
        assert_dtype(wide, np.float64, name=name)
        assert_dtype(single, np.float32, name=f"{name} of float32")
        # Sums of 5 terms; scores and gradients reach 4 or so.
        assert_close(single, plain(*arguments), atol=float32_atol(5, scale=4.0), name=f"{name} of float32")
    others = [
        (name, plain, numbers)
        for name, plain, _ in calls[:4]
        for numbers in (whole.clip(-1, 1) if name == "tanh_grad" else whole, whole > 0)
    ]
    values = student.together(partial(getattr(student, name), numbers) for name, _, numbers in others)
    for (name, plain, numbers), yours in zip(others, values, strict=True):
        kind = f"{name} of {numbers.dtype.name}"
        assert_dtype(yours, np.float64, name=kind)
        assert_close(yours, plain(numbers.astype(np.float64)), atol=1e-12, name=kind)


@weight(1)
@number("14.H9")
def test_options_keep_float32(student, rng):
    """softmax of float32 stays float32 with an axis and a temperature"""
    x = rng.standard_normal((4, 3)).astype(np.float32)
    p = student.softmax(x, axis=0, temperature=0.7)

    assert_dtype(p, np.float32)
    assert_close(p, plain_softmax(x.astype(np.float64) / 0.7, 0), atol=float32_atol(4, scale=4.0))


@weight(1)
@number("14.H10")
def test_bad_temperature(student, rng):
    """softmax refuses a temperature of 0 or less"""
    x = rng.standard_normal((2, 3))
    for temperature in (0.0, -float(rng.uniform(0.5, 2))):
        assert_refuses(student.softmax, x, temperature=temperature, naming="temperature")


@weight(0.5)
@number("14.H10")
def test_bad_axis(student, rng):
    """softmax and log_softmax refuse an axis that x lacks"""
    x = rng.standard_normal((2, 3))
    functions = (student.softmax, student.log_softmax)
    calls = [partial(function, x, axis=axis) for axis in (2, -3, 5) for function in functions]
    assert_refused(student.together(calls, catch=True), naming="axis")


@weight(0.5)
@number("14.H10")
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_nothing_but_minus_infinity(student, rng, name):
    """softmax and log_softmax refuse a slice that is -inf throughout"""
    x = rng.standard_normal((2, 3))
    x[1] = -np.inf

    assert_refuses(getattr(student, name), x, naming="x")
    assert_refuses(getattr(student, name), x.T, axis=0, naming="x")
