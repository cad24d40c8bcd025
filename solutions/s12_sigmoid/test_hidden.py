"""Section 12: sigmoid, its slope, its problems. Hidden tests."""

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
    assert_shape,
)


@weight(6)
@number("12.H1")
def test_extremes(student, reference, rng):
    """sigmoid has twelve correct digits from -700 upwards and nothing overflows on the way, not even at infinity"""
    # The least accurate good form, exp(-log(1 + exp(-x))), rounds its exponent (700) by 1e-16 of it: 1e-13.
    # Small results in a call of their own: beside a 1 the diagnosis could not tell them from 0.
    fixed = [-700.0, -400.0, -100.0, -45.0]
    inputs = [
        np.append(rng.uniform(-700, -40, 30), fixed),
        np.concatenate([rng.uniform(-45, 3, 40), rng.uniform(-700, 700, 20), fixed, [0, 20, 45, 700, 1000, np.inf]]),
    ]
    values = student.together(partial(student.sigmoid, x) for x in inputs)
    assert_calm(student.observed)
    for x, yours in zip(inputs, values, strict=True):
        assert_close(yours, reference.sigmoid(x), rtol=1e-12)

    # Below -745 the result is 0 in float64; above that it is subnormal, where digits are not asked for.
    tiny = np.append(rng.uniform(-1000, -750, 5), [-1000.0, -np.inf])
    yours = student.sigmoid(tiny)
    assert_calm(student.observed)
    assert_close(yours, np.zeros(7), atol=1e-300)


@weight(3)
@number("12.H2")
def test_slope_against_differences(student, reference, rng):
    """sigmoid_grad of sigmoid's output is the slope that central differences find"""
    x, upstream = rng.uniform(-4, 4, (5, 3)), rng.standard_normal((5, 3))

    slope = student.sigmoid_grad(student.sigmoid(x))
    assert_shape(slope, (5, 3))
    assert_gradient(upstream * slope, reference.sigmoid, x, upstream)


@weight(1)
@number("12.H2")
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (4, 3), (4, 4), (2, 4, 3)])
def test_any_shape(student, reference, rng, shape):
    """sigmoid, sigmoid_grad and logit take arrays of any shape, without axes and without entries too"""
    x = np.array(rng.uniform(-5, 5, shape))
    a = np.array(rng.uniform(0.05, 0.95, shape))

    activations, slopes, logits = student.together(
        [partial(student.sigmoid, x), partial(student.sigmoid_grad, a), partial(student.logit, a)]
    )
    # A handful of roundings of 1e-16 each. log(p) and log(1 - p) cancel near 0.5: there the error is absolute.
    assert_close(activations, reference.sigmoid(x), rtol=1e-12, name="sigmoid(x)")
    assert_close(slopes, reference.sigmoid_grad(a), rtol=1e-12, name="sigmoid_grad(a)")
    assert_close(logits, reference.logit(a), rtol=1e-12, atol=2e-15, name="logit(p)")


@weight(2)
@number("12.H2")
def test_kind_of_number(student, reference, rng):
    """float32 gives float32, float64 gives float64, ints and bools give float64"""
    # |x| < 15 keeps the exponent's own rounding in float32 (15 * 6e-8) below the 4e-6 allowed.
    inputs = [rng.uniform(-15, 15, 7), rng.integers(-9, 9, 7), np.array([True, False, True])]
    inputs.append(rng.uniform(-15, 15, 7).astype(np.float32))
    for x, yours in zip(inputs, student.together(partial(student.sigmoid, x) for x in inputs), strict=True):
        assert_dtype(yours, np.float32 if x.dtype == np.float32 else np.float64, name="sigmoid(x)")
        assert_close(yours, reference.sigmoid(x.astype(np.float64)), name="sigmoid(x)")

    shares = [rng.uniform(0.1, 0.9, 5).astype(kind) for kind in (np.float32, np.float64)]
    *values, of_integers = student.together(
        [
            *(partial(function, a) for a in shares for function in (student.sigmoid_grad, student.logit)),
            partial(student.logit, np.array([0, 1, 1])),
        ]
    )
    for a, slope, logit in zip(shares, values[::2], values[1::2], strict=True):
        assert_dtype(slope, a.dtype, name="sigmoid_grad(a)")
        assert_dtype(logit, a.dtype, name="logit(p)")
    assert_dtype(of_integers, np.float64, name="logit(p)")


@weight(2)
@number("12.H3")
def test_shape_of_the_curve(student, rng):
    """sigmoid rises everywhere, and sigmoid(-x) is 1 - sigmoid(x)"""
    inputs = [4 * rng.standard_normal(size) for size in (1, 2, 5, 30)]  # small ones first: they are easy to read
    # Steps of at least 0.05 raise even sigmoid(30) by 5e-15, which is many roundings.
    x = np.cumsum(rng.uniform(0.05, 0.8, 60))
    x = x[x < 30]
    rising = np.concatenate([-x[::-1], x])
    *halves, curve = student.together(
        [*(partial(student.sigmoid, half) for x in inputs for half in (-x, x)), partial(student.sigmoid, rising)]
    )
    for left, right in zip(halves[::2], halves[1::2], strict=True):
        # Two roundings near 1 and one subtraction: a few 1e-16.
        assert_close(left, 1 - right, rtol=0.0, atol=1e-15, name="sigmoid(-x)")
    assert (np.diff(curve) > 0).all(), "a larger x must give a larger sigmoid(x)"


@weight(1)
@number("12.H3")
def test_closed_range(student, rng):
    """sigmoid stays inside 0 and 1 and reaches 1 by rounding: at 38 in float64, at 18 in float32"""
    x = rng.uniform(-1000, 1000, 50)
    ends = [np.array([38.0, 100.0]), np.array([18.0, 90.0], np.float32)]
    calls = [partial(student.sigmoid, each) for each in (x, x.astype(np.float32), *ends)]
    wide, single, *at_the_end = student.together(calls)
    for yours in (wide, single):
        assert ((yours >= 0) & (yours <= 1)).all(), "every sigmoid(x) must lie between 0 and 1"

    # 1 - sigmoid(38) = 3e-17 is under half of the gap below 1 (5.6e-17), so every good form rounds to 1. At 37 it is
    # 8.5e-17, where 1/(1 + exp(-x)) gives 1 and the correctly rounded value is one step less. float32: 1.5e-8 < 3e-8.
    for yours in at_the_end:
        assert_close(yours, np.ones(2), rtol=0.0)


@weight(3)
@number("12.H4")
def test_logit_is_accurate(student, reference, rng):
    """logit is right for probabilities near 1e-300, in the middle, and one rounding step below 1"""
    powers = 10.0 ** rng.uniform(-300, -1, 20)
    p = np.concatenate([[1e-300, 2.0**-53, 1 - 2.0**-53, 1 - 2.0**-50], powers, 1 - powers[-3:], rng.uniform(0, 1, 20)])

    yours = student.logit(p)

    assert_calm(student.observed)
    # Near 0.5 two logarithms of size 0.7 cancel: absolute error of a few 1e-16.
    assert_close(yours, reference.logit(p), rtol=1e-12, atol=2e-15)
    # In closed form: log(10**-300), and 53 log 2 (what is left out is 1e-16).
    assert_close(yours[:3:2], np.array([-690.7755278982137, 36.7368005696771]), rtol=1e-12)


@weight(2)
@number("12.H4")
def test_logit_at_the_ends(student, rng):
    """logit of 0 is -inf and of 1 is +inf, without a warning, in any company"""
    p = rng.uniform(0.1, 0.9, (3, 4))
    p[0, 1], p[2, 0], p[2, 3] = 0.0, 1.0, 0.0

    yours = student.logit(p)

    assert_calm(student.observed)
    assert_close(np.array([yours[0, 1], yours[2, 0], yours[2, 3]]), np.array([-np.inf, np.inf, -np.inf]))
    inside = (p > 0) & (p < 1)
    assert_close(yours[inside], np.log(p[inside] / (1 - p[inside])), atol=2e-15)


@weight(2)
@number("12.H5")
def test_saturated_share(student, reference, rng):
    """saturated_fraction counts the entries whose slope is below tol, on either side, for any tol"""
    # Steps of 0.1, and limits in the middle between two of them: no rounding decides which side an entry is on.
    x = 0.1 * rng.permutation(np.arange(-40, 31)).reshape(71, 1)
    limits = 0.1 * rng.choice(np.arange(10, 20), 4, replace=False) + 0.05
    tols = [float(np.exp(-limit) / (1 + np.exp(-limit)) ** 2) for limit in limits]
    values = student.together(partial(student.saturated_fraction, x, tol) for tol in tols)
    for tol, yours in zip(tols, values, strict=True):
        assert_close(yours, reference.saturated_fraction(x, tol), rtol=1e-12, name=f"share for tol={tol:.3f}")


@weight(1)
@number("12.H5")
def test_saturated_share_by_default(student, rng):
    """Without a tol, inputs beyond 6 on either side are saturated and inputs within 3 are not"""
    # The slope is 0.0025 at 6 and 0.045 at 3; the default tol of 0.01 lies between.
    left, middle, right = -rng.uniform(6, 700, 3), rng.uniform(-3, 3, 9), rng.uniform(6, 700, 5)
    inputs = [np.concatenate([left, middle, right]), np.concatenate([left, middle]), middle, right]
    values = student.together(partial(student.saturated_fraction, x) for x in inputs)
    for yours, expected in zip(values, [8 / 17, 3 / 12, 0.0, 1.0], strict=True):
        assert_close(yours, expected, name="share")


@weight(3)
@number("12.H5")
def test_chain(student, reference, rng):
    """chain_slopes multiplies one factor w * slope per layer and returns all absolute values on the way"""
    cases = []
    for depth in (1, 2, 3, 7):
        x, w = float(rng.uniform(-2, 2)), float(rng.uniform(1.5, 5))
        cases += [(x, depth, w), (x, depth, -w)]
    for case, yours in zip(
        cases, student.together(partial(student.chain_slopes, *case) for case in cases), strict=True
    ):
        assert_shape(yours, (case[1],), name="chain_slopes(x, depth, w)")
        # 1 - a is off by 1e-16 where it may be as small as 5e-5 (z = 10): 2e-12 a layer.
        assert_close(yours, reference.chain_slopes(*case), rtol=1e-9, name="chain_slopes(x, depth, w)")


@weight(1)
@number("12.H5")
def test_chain_against_differences(student, reference, rng):
    """Without a w the weight is 1: the slopes agree with central differences and stay below 0.25 ** depth"""
    x = rng.uniform(-3, 3, 1)
    depth = 12
    yours = student.chain_slopes(float(x[0]), depth)
    assert_shape(yours, (depth,))
    assert (yours <= 0.25 ** np.arange(1, depth + 1) * (1 + 1e-12)).all(), "layer k may pass on 0.25 ** k at most"

    def third(start):
        return reference.sigmoid(reference.sigmoid(reference.sigmoid(start)))

    assert_gradient(yours[2:3], third, x, np.ones(1), name="chain_slopes(x, 12)[2]")


@weight(2)
@number("12.H6")
def test_speed(student, speed, rng):
    """sigmoid of 30 000 numbers takes at most eight times the reference's time"""
    # Measured, also on a busy machine: two boolean masks up to 4.3 times, a Python loop over math.exp 17 and more.
    speed.at_most(8, lambda module, x: module.sigmoid(x), lambda: (rng.standard_normal(30_000),))


@weight(1)
@number("12.H6")
def test_inputs_stay(student, rng):
    """No function changes its argument, and no result shares memory with one"""
    p = rng.uniform(0.1, 0.9, (2, 3))
    calls = [partial(student.sigmoid_grad, p), partial(student.logit, p)]
    for x in (rng.standard_normal((3, 4)), np.abs(rng.standard_normal(5)), np.zeros(2)):
        calls += [partial(student.sigmoid, x), partial(student.saturated_fraction, x)]
    student.together(calls)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("12.H7")
def test_bad_input(student, rng):
    """logit refuses what is no probability and chain_slopes a depth below 1; both name the argument"""
    calls = []
    for bad in (-1e-9, 1 + 1e-9, -rng.uniform(0.1, 5), 1 + rng.uniform(0.1, 5)):
        p = rng.uniform(0.1, 0.9, (2, 3))
        p[1, 0] = bad
        calls.append(partial(student.logit, p))
    assert_refused(student.together(calls, catch=True), naming="p")
    depths = (0, -1, -int(rng.integers(2, 9)))
    calls = [partial(student.chain_slopes, 0.5, depth) for depth in depths]
    assert_refused(student.together(calls, catch=True), naming="depth")
