"""Section 13: ReLU, Leaky ReLU, ELU. Hidden tests."""

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
    float32_atol,
)

SHAPES = [(), (0,), (4, 4), (2, 3, 5)]
NAMES = ["relu", "leaky_relu", "elu"]


def away_from_zero(rng, shape):
    """Numbers of both signs with absolute values from 0.01 to 3."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.01, 3, shape)


@weight(3)
@number("13.H1")
def test_extremes(student, rng):
    """relu keeps NaN, +inf and subnormal numbers, and makes a plain 0 of everything negative, -inf too"""
    x = np.array([np.nan, np.inf, 5e-324, 1e-310, 1.7e308, 0.0, -0.0, -np.inf, -5e-324, -1.7e308, -3.0])
    expected = np.array([np.nan, np.inf, 5e-324, 1e-310, 1.7e308, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    order = rng.permutation(11)

    yours = student.relu(x[order])

    assert_close(yours, expected[order], rtol=0.0)
    # Which zero max(0.0, -0.0) is, IEEE 754 leaves open, so only truly negative numbers are looked at.
    assert not np.signbit(yours[x[order] < 0]).any(), "of a negative number relu makes 0.0, not -0.0"


@weight(3)
@number("13.H1")
@pytest.mark.parametrize("shape", SHAPES)
def test_values(student, reference, rng, shape):
    """relu, leaky_relu and elu agree with the reference for any shape and any parameter"""
    calls, expected = [], []
    for _ in range(2):
        x = np.array(rng.normal(0, 3, shape))
        slope, alpha = float(rng.uniform(0.02, 0.9)), float(rng.uniform(0.2, 3))
        calls += [partial(student.relu, x), partial(student.leaky_relu, x, slope), partial(student.elu, x, alpha)]
        expected += [reference.relu(x), reference.leaky_relu(x, slope), reference.elu(x, alpha)]
    names = ["relu(x)", "leaky_relu(x, slope)", "elu(x, alpha)"] * 2
    for name, yours, right in zip(names, student.together(calls), expected, strict=True):
        # A handful of roundings of 1e-16 each.
        assert_close(yours, right, rtol=1e-12, name=name)


@weight(1)
@number("13.H1")
@pytest.mark.parametrize("name", NAMES)
def test_kind_of_number(student, reference, rng, name):
    """float32 gives float32, float64 gives float64, and for the three functions ints and bools give float64"""
    x, upstream = rng.standard_normal((2, 4, 3)).astype(np.float32)
    wide, wide_upstream = x.astype(np.float64), upstream.astype(np.float64)
    inputs = [rng.integers(-9, 9, 12), np.array([True, False]), rng.standard_normal(5)]
    function, backward = getattr(student, name), getattr(student, f"{name}_backward")
    *values, single, gradient = student.together(
        [*(partial(function, each) for each in inputs), partial(function, x), partial(backward, x, upstream)]
    )

    for each, yours in zip(inputs, values, strict=True):
        assert_dtype(yours, np.float64, name=f"{name}(x)")
        assert_close(yours, getattr(reference, name)(each.astype(np.float64)), name=f"{name}(x)")

    # No sums: one operation deep, of values up to about 4.
    atol = float32_atol(1, 4)
    assert_dtype(single, np.float32, name=f"{name}(x)")
    assert_close(single, getattr(reference, name)(wide), atol=atol, name=f"{name}(x)")

    name += "_backward"
    assert_dtype(gradient, np.float32, name=f"{name}(x, upstream)")
    assert_close(gradient, getattr(reference, name)(wide, wide_upstream), atol=atol, name=f"{name}(x, upstream)")


@weight(4)
@number("13.H2")
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 5)])
def test_gradients_against_differences(student, reference, rng, shape):
    """Away from 0 the three gradients are what central differences find, for any incoming gradient"""
    x, upstream = away_from_zero(rng, shape), rng.standard_normal(shape)
    slope, alpha = float(rng.uniform(0.02, 0.9)), float(rng.uniform(1.5, 3))

    of_relu, of_leaky_relu, of_elu = student.together(
        [
            partial(student.relu_backward, x, upstream),
            partial(student.leaky_relu_backward, x, upstream, slope),
            partial(student.elu_backward, x, upstream, alpha),
        ]
    )
    assert_gradient(of_relu, reference.relu, x, upstream, name="relu_backward")
    assert_gradient(of_leaky_relu, lambda at: reference.leaky_relu(at, slope), x, upstream, name="leaky_relu_backward")
    assert_gradient(of_elu, lambda at: reference.elu(at, alpha), x, upstream, name="elu_backward")


@weight(2)
@number("13.H2")
def test_gradients_at_zero(student, rng):
    """At exactly 0 the derivative is 0 for relu, slope for leaky_relu and alpha for elu"""
    x, upstream = np.array([0.0, -0.0, 0.5, -0.5]), away_from_zero(rng, 4)
    slope, alpha = float(rng.uniform(0.02, 0.9)), float(rng.uniform(1.5, 3))

    curve = np.exp(-0.5)
    cases = [
        ("relu_backward(x, upstream)", (), [0, 0, 1, 0]),
        ("leaky_relu_backward(x, upstream, slope)", (slope,), [slope, slope, 1, slope]),
        ("elu_backward(x, upstream, alpha)", (alpha,), [alpha, alpha, 1, alpha * curve]),
        # Without the parameters: 0.01 and 1.
        ("leaky_relu_backward(x, upstream)", (), [0.01, 0.01, 1, 0.01]),
        ("elu_backward(x, upstream)", (), [1, 1, 1, curve]),
    ]
    calls = [partial(getattr(student, name.partition("(")[0]), x, upstream, *parameter) for name, parameter, _ in cases]
    for (name, _, derivative), yours in zip(cases, student.together(calls), strict=True):
        # A handful of roundings of 1e-16 each.
        assert_close(yours, upstream * derivative, rtol=1e-12, name=name)


@weight(2)
@number("13.H3")
def test_elu_of_large_numbers(student, rng):
    """elu and its gradient take -1000, 1000 and infinities without an overflow"""
    alpha = float(rng.uniform(0.5, 3))
    x = np.append(rng.permutation([-1000.0, 1000.0, 710.0]), [np.inf, -np.inf])
    positive, upstream = x > 0, away_from_zero(rng, 5)

    value, slope = student.together([partial(student.elu, x, alpha), partial(student.elu_backward, x, upstream, alpha)])
    assert_calm(student.observed)
    assert_close(value, np.where(positive, x, -alpha), name="elu(x, alpha)")
    # elu(x) + alpha is a good way to the slope too: it leaves a rounding of alpha, 4e-16 at most.
    assert_close(slope, np.where(positive, upstream, 0.0), atol=4e-15, name="elu_backward(x, upstream, alpha)")


@weight(2)
@number("13.H3")
def test_elu_of_tiny_numbers(student, rng):
    """elu(-1e-12) has nine correct digits"""
    alpha = float(rng.uniform(0.5, 3))
    x = -np.append(10.0 ** rng.uniform(-15, -10, 5), 1e-12)

    # exp(x) - 1 = x + x²/2 + ...; beyond the second term nothing is left at this size.
    assert_close(student.elu(x, alpha), alpha * (x + x**2 / 2), rtol=1e-9)


@weight(2)
@number("13.H4")
def test_dead_units(student, rng):
    """activity calls a unit dead only if it is 0 for every sample, and lists the dead in ascending order"""
    N, K = 6, 9
    cases = []
    for deaths in (1, 2, 4):
        H = rng.uniform(0.1, 2, (N, K))
        dead = rng.choice(K, deaths, replace=False)
        H[:, dead] = 0
        alive = np.setdiff1d(np.arange(K), dead)
        H[0, alive[0]] = H[2:, alive[1]] = H[:-1, alive[2]] = 0  # silent now and then, but not dead
        H[4, :] = 0  # a sample without any activity is no dead unit
        H[5, alive[2]] = 0.1
        cases.append((H, dead))

    values = student.together(partial(student.activity, H) for H, _ in cases)
    for (H, dead), yours in zip(cases, values, strict=True):
        assert_dtype(yours["dead"], np.int64, name="dead")
        assert_close(yours["dead"], np.sort(dead), name="dead")
        assert_close(yours["sparsity"], np.count_nonzero(H == 0) / (N * K), rtol=1e-12, name="sparsity")


@weight(2)
@number("13.H4")
def test_signed_activity(student, rng):
    """activity counts exact zeros only: negative outputs are activity, also where they cancel in a sum"""
    H = -rng.integers(1, 17, (4, 5)) / 8  # sums of eighths are exact
    H[:2] *= -1
    H[2:, 1] = -H[:2, 1]  # adds up to 0
    H[:, 3] = 0
    H[:, 2] = [0.0, -1.0, 0.0, -2.0]  # the largest is 0
    H[0, 4] = 0

    yours = student.activity(H)
    assert_close(yours["dead"], np.array([3]), name="dead")
    assert_close(yours["sparsity"], 7 / 20, rtol=1e-12, name="sparsity")


@weight(1)
@number("13.H4")
def test_one_sample_and_no_deaths(student, rng):
    """With one sample each 0 is a dead unit; where nobody is dead the answer is an empty int64 array"""
    H = rng.uniform(0.1, 2, (1, 6))
    H[0, [1, 4]] = 0

    single, yours = student.together(partial(student.activity, each) for each in (H, rng.uniform(0.1, 2, (5, 3))))
    assert_close(single["dead"], np.array([1, 4]), name="dead")
    assert_dtype(yours["dead"], np.int64, name="dead")
    assert_close(yours["dead"], np.zeros(0, np.int64), name="dead")
    assert_close(yours["sparsity"], 0.0, name="sparsity")


@weight(1)
@number("13.H5")
def test_two_halves(student, rng):
    """relu(x) - relu(-x) is x, and relu(x) + relu(-x) is its absolute value"""
    inputs = [rng.normal(0, 3, size) for size in (1, 2, 5, 30)]  # small ones first: the first failure is easy to read
    halves = student.together(partial(student.relu, half) for x in inputs for half in (x, -x))
    for x, right, left in zip(inputs, halves[::2], halves[1::2], strict=True):
        assert_close(right - left, x, name="relu(x) - relu(-x)")
        assert_close(right + left, np.abs(x), name="relu(x) + relu(-x)")


@weight(2)
@number("13.H5")
def test_any_slope(student, rng):
    """leaky_relu is slope * x on the left for any slope, also above 1 and below 0, and changes nothing for a slope of 1"""
    x, size = rng.normal(0, 3, 8), rng.uniform(0.1, 4, 5)
    slopes = [float(rng.uniform(0.1, 0.9)), float(rng.uniform(1.5, 4)), -float(rng.uniform(0.1, 2)), 0.0]
    both = np.append(-size, size)
    same, default, *values = student.together(
        [
            partial(student.leaky_relu, x, 1.0),
            partial(student.leaky_relu, -size),
            *(partial(student.leaky_relu, both, slope) for slope in slopes),
        ]
    )
    assert_close(same, x, name="leaky_relu(x, slope=1)")
    for slope, yours in zip(slopes, values, strict=True):
        assert_close(yours, np.append(-slope * size, size), name=f"leaky_relu(x, {slope:.3g})")
    assert_close(default, -0.01 * size, name="leaky_relu(x)")


@weight(2)
@number("13.H5")
def test_ends_of_elu(student, rng):
    """elu starts at -alpha far on the left, has no jump at 0, and is relu for alpha = 0"""
    near, far = np.array([-1e-9, 0.0, 1e-9]), np.array([-50.0, -80.0])
    alphas = [float(rng.uniform(1.5, 4)), 0.0]
    *values, default = student.together(
        [*(partial(student.elu, x, alpha) for alpha in alphas for x in (near, far)), partial(student.elu, far)]
    )
    for alpha, around_0, on_the_left in zip(alphas, values[::2], values[1::2], strict=True):
        # The values are at most alpha * 1e-9 on the left and 1e-9 on the right.
        assert_close(around_0, np.zeros(3), rtol=0.0, atol=1.01e-9 * max(alpha, 1), name="elu near 0")
        assert_close(on_the_left, np.full(2, -alpha), name=f"elu(-50, {alpha:.3g})")
    assert_close(default, np.full(2, -1.0), name="elu(-50)")


def steps(act, backward, X, y, w, b, rate, count):
    """Full-batch gradient descent on the mean squared error of act(X @ w + b); yields (w, b) after every step."""
    for _ in range(count):
        z = X @ w + b
        upstream = 2 * (act(z) - y) / len(y)
        dz = backward(z, upstream)
        w, b = w - rate * (X.T @ dz), b - rate * dz.sum()
        yield w, b


def silent_unit(rng):
    """Data, targets and parameters of one unit that is negative for every sample."""
    N, D = 8, 3
    X, w = rng.uniform(-1, 1, (N, D)), rng.uniform(-0.3, 0.3, D)  # |X @ w| < 0.9: with b = -10 far below 0
    y = rng.permutation(np.tile([-1.0, 3.0], N // 2)) + rng.uniform(-0.2, 0.2, N)  # incoming gradients of both signs
    return X, y, w, -10.0


@weight(1)
@number("13.H6")
def test_dead_stays_dead(student, rng):
    """One relu unit with bias -10 does not move at all, however many steps of gradient descent it takes"""
    X, y, w, b = silent_unit(rng)
    # What has not moved by one bit in a step meets the same numbers in the next: two tell what 200 would.
    for weights, bias in steps(student.relu, student.relu_backward, X, y, w, b, 0.1, 2):
        assert (weights == w).all(), "a dead unit's weights get a gradient of exactly 0 and must stay what they were"
        assert bias == b, "a dead unit's bias gets a gradient of exactly 0 and must stay what it was"


@weight(1)
@number("13.H6")
@pytest.mark.parametrize("name", ["leaky_relu", "elu"])
def test_silent_unit_revives(student, rng, name):
    """With leaky_relu or elu the unit with bias -10 moves towards life in every step"""
    X, y, w, before = silent_unit(rng)
    # elu's output is -1: targets near -1 pull by 0.2 at most, those near 3 by 3.8 at least, and the slopes of the
    # samples differ by no more than exp(1.8) = 6, so the sum pulls upwards. leaky_relu's output is -0.1, the mean of
    # the targets 1.
    for _, now in steps(getattr(student, name), getattr(student, f"{name}_backward"), X, y, w, before, 0.1, 3):
        assert now > before, f"with {name} the bias of a silent unit must rise in every step"
        before = now


@weight(2)
@number("13.H7")
def test_speed(student, speed, rng):
    """elu of 30 000 numbers takes at most six times the reference's time"""
    # elu, because it is dear enough to be measured well. Boolean masks take up to 2.7 times as long, a Python loop 12.
    speed.at_most(6, lambda module, x: module.elu(x), lambda: (rng.standard_normal(30_000),))


@weight(1)
@number("13.H7")
def test_inputs_stay(student, rng):
    """No function changes its arguments, and no result shares memory with one, also where nothing is cut off"""
    upstream = rng.standard_normal((3, 4))
    calls = []
    for x in (rng.standard_normal((3, 4)), rng.uniform(0.1, 2, (3, 4)), -rng.uniform(0.1, 2, (3, 4))):
        calls += [partial(getattr(student, name), x) for name in (*NAMES, "activity")]
        calls += [partial(getattr(student, f"{name}_backward"), x, upstream) for name in NAMES]
        calls.append(partial(student.leaky_relu, x, 1.0))
    student.together(calls)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("13.H8")
@pytest.mark.parametrize("name", ["relu_backward", "leaky_relu_backward", "elu_backward"])
def test_other_shape(student, rng, name):
    """A gradient of another shape than x is refused by name, also where numpy could stretch it"""
    shapes = [((3,), (1,)), ((2, 3), (3,)), ((2, 3), (3, 2)), ((4,), (5,))]
    pairs = [(rng.standard_normal(x_shape), rng.standard_normal(other)) for x_shape, other in shapes]
    outcomes = student.together((partial(getattr(student, name), *pair) for pair in pairs), catch=True)
    assert_refused(outcomes, naming="upstream")


@weight(1)
@number("13.H8")
def test_negative_alpha(student, rng):
    """elu and elu_backward refuse a negative alpha by name"""
    x, upstream = rng.standard_normal((2, 3, 4))
    calls = []
    for alpha in (-1e-9, -float(rng.uniform(0.1, 2))):
        calls += [partial(student.elu, x, alpha), partial(student.elu_backward, x, upstream, alpha)]
    assert_refused(student.together(calls, catch=True), naming="alpha")
