"""Section 11: why non-linearity. Hidden tests."""

from itertools import pairwise

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_equal,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
)

NAMES = ["identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu"]


def stack(rng, widths):
    """Random layers from widths[0] inputs to widths[-1] outputs, with biases away from 0."""
    return [
        (rng.standard_normal((n_out, n_in)), rng.choice([-1, 1], n_out) * rng.uniform(0.5, 2, n_out))
        for n_in, n_out in pairwise(widths)
    ]


def run(layers, X, hidden=lambda z: z):
    """The trusted forward pass of rows X, with `hidden` after every layer but the last."""
    for W, b in layers[:-1]:
        X = hidden(X @ W.T + b)
    W, b = layers[-1]
    return X @ W.T + b


def check_affine(student, f, D, seed, expected, what, **options):
    """Hold that is_affine gives this answer, a bool."""
    yours = student.is_affine(f, D, seed, **options)
    assert_equal(yours if type(yours) is bool else bool(yours), expected, name=f"is_affine of {what}")


def seed_from(rng):
    """Return a seed for the student."""
    return int(rng.integers(2**31))


# collapse_linear


@weight(6)
@number("11.H1")
@pytest.mark.parametrize("widths", [(3, 7), (3, 3, 3), (5, 3, 7, 1), (7, 5, 1, 3, 9, 5, 3)])
def test_collapse_equals_the_stack(student, rng, widths):
    """The one layer gives what one to six layers give, square or not, on random samples"""
    layers = stack(rng, widths)
    W, b = student.collapse_linear(layers)

    assert_shape(W, (widths[-1], widths[0]), name="W")
    assert_shape(b, (widths[-1],), name="b")
    X = np.vstack([np.zeros(widths[0]), rng.standard_normal((10, widths[0]))])  # enough rows to settle W and b
    expected = run(layers, X)
    # Sums of at most 9 numbers, six times over, where large terms may cancel: 1e-13 of the largest.
    assert_close(X @ W.T + b, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max(), name="X @ W.T + b")


# activation


@weight(3)
@number("11.H2")
@pytest.mark.parametrize("name", NAMES)
def test_values(student, reference, rng, name):
    """Each activation agrees with the reference for any shape"""
    for shape in ((4, 4), (2, 3, 5), (), (0,)):
        x = np.array(rng.normal(0, 2, shape))
        # A handful of roundings of 1e-16 each; exp(x) - 1 and 1 + erf(x) lose as much absolutely.
        yours = student.activation(name, x)
        assert_close(yours, reference.activation(name, x), rtol=1e-9, atol=1e-14, name=f"activation({name!r}, x)")


@weight(4)
@number("11.H2")
@pytest.mark.parametrize("name", NAMES)
def test_extremes(student, reference, rng, name):
    """At -1000 and 1000 each activation has its limit, and nothing overflows on the way, in float32 neither"""
    x = np.append(rng.permutation([-1000.0, 1000.0, -750.0, 710.0]), rng.uniform(-40, 40, 5))
    for values in (x, x.astype(np.float32)):
        yours = student.activation(name, values)
        assert_calm(student.observed)
        # One function of values up to 1000: float64 to a few 1e-16, float32 to a few 6e-8, of the size of the value or
        # of the 1 that is added or taken away on the way.
        expected = reference.activation(name, values.astype(np.float64))
        atol = 1e-12 if values is x else float32_atol(1)
        assert_close(yours, expected, atol=atol, name=f"activation({name!r}, x)")


@weight(1)
@number("11.H2")
def test_step_at_zero(student, rng):
    """step is 1 from 0 on and 0 below, without anything between"""
    x = rng.permutation([0.0, -0.0, 5e-324, -5e-324, 1e-9, -1e-9, 3.0, -3.0])

    assert_close(student.activation("step", x), np.where(x >= 0, 1.0, 0.0), name="activation('step', x)")


@weight(2)
@number("11.H2")
@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_visible(student, rng, name):
    """A NaN among numbers stays NaN for each of the nine activations"""
    x, place = rng.normal(0, 2, 5), int(rng.integers(5))
    x[place] = np.nan

    yours = student.activation(name, x)
    assert_shape(yours, (5,), name=f"activation({name!r}, x)")
    assert_close(yours[place], np.nan, name=f"activation({name!r}, NaN)")


# is_affine


@weight(2)
@number("11.H3")
def test_affine_maps(student, rng):
    """is_affine says yes to random layers with a bias, to constants and to zero"""
    for D, outputs in ((1, 1), (3, 2), (5, 7)):
        ((W, b),) = stack(rng, (D, outputs))
        check_affine(student, lambda X, W=W, b=b: X @ W.T + b, D, seed_from(rng), expected=True, what="W x + b")
    check_affine(student, lambda X: np.full((len(X), 2), 3.7), 2, seed_from(rng), expected=True, what="a constant")
    check_affine(student, lambda X: np.zeros((len(X), 1)), 4, seed_from(rng), expected=True, what="the zero function")


@weight(2)
@number("11.H3")
def test_bends_and_curves(student, rng):
    """is_affine says no to |x|, x^2, x^3 and tanh, also where one input or one output out of several has the bend"""
    D = 4
    for what, bend in (("x^3", lambda t: t**3), ("tanh", np.tanh), ("|x|", np.abs), ("x^2", lambda t: t * t)):
        ((W, b),) = stack(rng, (D, 3))
        row, column = int(rng.integers(1, 3)), int(rng.integers(1, D))

        def f(X, W=W, b=b, bend=bend, row=row, column=column):
            Y = X @ W.T + b
            Y[:, row] += bend(X[:, column])
            return Y

        check_affine(student, f, D, seed_from(rng), expected=False, what=f"a layer plus {what} of input {column}")


@weight(2)
@number("11.H3")
@pytest.mark.parametrize("side", [-1, 1])
def test_rare_bends(student, rng, side):
    """is_affine finds a bend that most points never see: relu(x0 - 7), which is 0 for nearly all small x"""
    for D in (1, 2, 3, 5):
        place, column = float(rng.uniform(6.5, 7.5)), int(rng.integers(D))

        def f(X, place=place, column=column):
            return np.maximum(side * X[:, [column]] - place, 0.0)

        # One of the points of a pair beyond the bend: at scale 10 that happens to a pair with probability 0.36, to none
        # of 64 with 1e-12. (A single pair sees all four bends of a test once in 60 times.)
        check_affine(student, f, D, seed_from(rng), expected=False, what=f"relu({side} * x{column} - {place:.3g})")


@weight(1)
@number("11.H3")
def test_small_bends(student, rng):
    """is_affine looks closely too: it finds a bend between -0.1 and 0.1 that is lost beside values of 10"""
    for bend in rng.uniform(0.08, 0.12, 3):
        # Of values up to 250 at scale 0.1 the bend moves 0.01, of values up to 25000 at scale 10 no more: 4e-7 of them.
        def f(X, bend=bend):
            return 1000 * X - bend * np.minimum(np.abs(X), 0.1)

        check_affine(student, f, 1, seed_from(rng), expected=False, what="1000 x with a notch between -0.1 and 0.1")


@weight(2)
@number("11.H3")
def test_tolerance_is_relative(student, rng):
    """is_affine measures against the size of f: it forgives a rounded 1e12 + x and does not forgive -1e-12 x^2"""
    offset, tiny = float(rng.uniform(1e12, 2e12)), float(rng.uniform(1e-12, 2e-12))
    check_affine(student, lambda X: 2 + 3 * X, 1, seed_from(rng), expected=True, what="2 + 3 x")
    check_affine(student, lambda X: offset + 3 * X, 1, seed_from(rng), expected=True, what="1e12 + 3 x")
    check_affine(student, lambda X: -tiny * X * X, 1, seed_from(rng), expected=False, what="-1e-12 x^2")


@weight(1)
@number("11.H3")
def test_tolerance_is_asked_for(student, rng):
    """A bend worth 1 % of f is forgiven with tol=0.1, and one worth 1e-7 of f only without a tol, not with tol=1e-10"""
    bend = float(rng.uniform(0.8, 1.2))  # at scale 10 it moves 1000 by 1 to 20

    def f(X, factor=1.0):
        return 1000 + X + factor * bend * np.abs(X)

    check_affine(student, lambda X: f(X, 0.0), 1, seed_from(rng), expected=True, what="1000 + x", tol=0.1)
    check_affine(student, f, 1, seed_from(rng), expected=True, what="1000 + x + |x|", tol=0.1)
    check_affine(
        student, lambda X: f(X, 1e-5), 1, seed_from(rng), expected=False, what="1000 + x + 1e-5 |x|", tol=1e-10
    )
    check_affine(student, lambda X: f(X, 1e-5), 1, seed_from(rng), expected=True, what="1000 + x + 1e-5 |x|")


@weight(1)
@number("11.H3")
def test_nan_is_not_affine(student, rng):
    """is_affine says no to a function that gives NaN for some of the points"""
    slope = float(rng.uniform(1, 2))
    f = lambda X: np.where(X < 0, np.nan, slope * X)  # noqa: E731

    check_affine(student, f, 1, seed_from(rng), expected=False, what="a function with NaN for x < 0")


@weight(1)
@number("11.H3")
def test_seed_settles_the_questions(student, rng):
    """The same seed asks f for the same points, another seed for others, and the global random state stays as it was"""
    first, other = (int(seed) for seed in rng.choice(2**31, 2, replace=False))
    asked = []
    for seed in (first, first, other):
        points = []

        def f(X, points=points):
            points.append(np.array(X))
            return 2 * X + 1

        student.is_affine(f, 2, seed)
        assert_leaves_random_state_alone(student.observed)
        asked.append(np.vstack(points))

    assert_equal(asked[1], asked[0], name="the points of the second run with the same seed")
    same = asked[2].shape == asked[0].shape and bool((asked[2] == asked[0]).all())
    assert not same, "Two different seeds ask for the same points."


@weight(2)
@number("11.H4")
def test_depth_without_activation_is_in_vain(student, rng):
    """A network of one to six layers is affine if its activation is the identity, and not if it is leaky_relu or tanh"""
    for depth in (1, 2, 3, 6):
        widths = (3, *rng.integers(3, 7, depth - 1).tolist(), 2)
        layers = stack(rng, widths)
        seed = seed_from(rng)
        check_affine(student, lambda X, n=layers: run(n, X), 3, seed, expected=True, what=f"{depth} layers")
        if depth > 1:
            # Not relu: a layer whose units are all silent makes a constant of the network, which is affine.
            for name, hidden in (("leaky_relu", lambda z: np.maximum(z, 0.01 * z)), ("tanh", np.tanh)):
                f = lambda X, n=layers, h=hidden: run(n, X, h)  # noqa: E731
                check_affine(student, f, 3, seed, expected=False, what=f"{depth} layers with {name}")


# random_feature_fit


def wave(rng, n):
    """Points on one period of a sine and a shift, x from -1 to 1."""
    x = np.sort(rng.uniform(-1, 1, n))
    return x, np.sin(2 * np.pi * x + rng.uniform(0, 2 * np.pi)) + rng.uniform(1, 2)


@weight(2)
@number("11.H5")
def test_identity_gives_the_best_line(student, rng):
    """Without an activation the error is that of the best straight line, with one hidden unit and with twenty"""
    for n_hidden, n in ((1, 7), (20, 9)):
        x, y = wave(rng, n)
        A = np.column_stack([x, np.ones(n)])
        line = A @ np.linalg.lstsq(A, y, rcond=None)[0]

        result = student.random_feature_fit(x, y, n_hidden, "identity", seed_from(rng))
        # Twenty parallel columns: least squares drops 18 directions, and leaves about 1e-14 in the fit.
        assert_close(result["mse"], np.mean((line - y) ** 2), rtol=1e-6, name="mse")


@weight(3)
@number("11.H5")
@pytest.mark.parametrize(
    ("name", "n_hidden", "low", "high"), [("identity", 50, 0.3, 0.5), ("relu", 50, 0.0, 0.04), ("tanh", 30, 0.0, 1e-6)]
)
def test_sine_needs_a_bend(student, rng, name, n_hidden, low, high):
    """On sin(2 pi x) identity stays above 0.3, 50 relu units come below 0.04 and 30 tanh units below 1e-6"""
    # A short run that is not judged: by it the diagnosis tells mistakes apart without repeating the long ones.
    x, y = wave(rng, 6)
    student.random_feature_fit(x, y, 2, name, seed_from(rng))
    x = np.linspace(-1, 1, 200)
    errors = [
        student.random_feature_fit(x, np.sin(2 * np.pi * x), n_hidden, name, seed_from(rng))["mse"] for _ in range(3)
    ]

    # The reference in 200 runs: identity 0.423 always, relu 0.004 at worst, tanh 2e-12 at worst.
    good = sum(low <= error <= high for error in errors)
    assert good >= 2, f"In {3 - good} of 3 runs the error was not between {low} and {high}."


@weight(1)
@number("11.H5")
def test_bends_lie_among_the_data(student, rng):
    """50 relu units fit a sine as well where x goes from 40 to 42: the bends follow the range of the data"""
    start = float(rng.uniform(35, 45))
    x = start + np.linspace(0, 2, 100)
    # First a few points, which are not judged: they tell mistakes apart.
    student.random_feature_fit(x[::20], np.cos(x[::20]), 2, "relu", seed_from(rng))
    errors = [student.random_feature_fit(x, np.sin(2 * np.pi * x), 50, "relu", seed_from(rng))["mse"] for _ in range(3)]

    # The reference in 200 runs: 0.004 at worst. With all bends to the left of the data it is a line: 0.4.
    good = sum(error <= 0.04 for error in errors)
    assert good >= 2, f"In {3 - good} of 3 runs the error was above 0.04."


@weight(3)
@number("11.H6")
def test_layers_reproduce_the_error(student, reference, rng):
    """The returned layers have the right shapes, and the network that they are has the returned mse"""
    for name, n, n_hidden in (("relu", 9, 4), ("step", 7, 1), ("elu", 12, 5), ("identity", 6, 2)):
        x, y = wave(rng, n)
        result = student.random_feature_fit(x, y, n_hidden, name, seed_from(rng))

        layers = result["layers"]
        (W1, b1), (W2, b2) = layers
        assert_shape(W1, (n_hidden, 1), name="W1")
        assert_shape(b1, (n_hidden,), name="b1")
        assert_shape(W2, (1, n_hidden), name="W2")
        assert_shape(b2, (1,), name="b2")
        out = run(layers, x[:, None], lambda z, name=name: reference.activation(name, z))
        # Output weights of a few units reach thousands at most, so 1e-12 in the outputs.
        assert_close(result["mse"], np.mean((out[:, 0] - y) ** 2), rtol=1e-8, atol=1e-12, name="mse")


@weight(2)
@number("11.H6")
def test_output_weights_are_the_best(student, reference, rng):
    """No other output weights and bias do better with the hidden units that were drawn"""
    for name in ("tanh", "relu", "softplus"):
        x, y = wave(rng, 15)
        result = student.random_feature_fit(x, y, 4, name, seed_from(rng))
        W1, b1 = result["layers"][0]

        A = np.column_stack([reference.activation(name, x[:, None] @ W1.T + b1), np.ones(15)])
        best = np.mean((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)
        assert_close(result["mse"], best, rtol=1e-6, atol=1e-12, name=f"mse with 4 units of {name}")


@weight(1)
@number("11.H6")
def test_seed_settles_the_units(student, rng):
    """The same seed gives the same network, another seed another one, and the global random state stays as it was"""
    x, y = wave(rng, 6)
    first, other = (int(seed) for seed in rng.choice(2**31, 2, replace=False))
    one, again, another = (student.random_feature_fit(x, y, 3, "tanh", seed) for seed in (first, first, other))

    assert_leaves_random_state_alone(student.observed)
    assert_equal(again["layers"][0][0], one["layers"][0][0], name="W1 of the second run with the same seed")
    assert_equal(again["layers"][0][1], one["layers"][0][1], name="b1 of the second run with the same seed")
    assert len(np.unique(one["layers"][0][0])) == 3, "Each hidden unit draws a weight of its own."
    assert (another["layers"][0][0] != one["layers"][0][0]).all(), "Two seeds give the same hidden weights."


# Behaviour


@weight(2)
@number("11.H7")
def test_kind_of_number(student, reference, rng):
    """Each activation gives float32 for float32, float64 for float64, and float64 for ints and bools"""
    inputs = [
        rng.standard_normal(3).astype(np.float32),
        rng.standard_normal(3),
        rng.integers(-9, 9, 5),
        rng.random(4) < 0.5,
    ]
    for x in inputs:
        for name in NAMES:
            yours = student.activation(name, x)
            wanted = np.float32 if x.dtype == np.float32 else np.float64
            assert_dtype(yours, wanted, name=f"activation({name!r}, x)")
            expected = reference.activation(name, x.astype(np.float64))
            atol = float32_atol(1) if wanted is np.float32 else 1e-14
            assert_close(yours, expected, atol=atol, name=f"activation({name!r}, x)")


@weight(1)
@number("11.H7")
def test_kind_of_number_of_a_layer(student, rng):
    """collapse_linear gives float32 for float32 and float64 for ints, with one layer and with three"""
    for widths in ((2, 3), (2, 3, 5, 4)):
        whole = [tuple(rng.integers(-5, 6, part.shape) for part in layer) for layer in stack(rng, widths)]
        expected = run(whole, np.vstack([np.zeros(2), np.eye(2)]))  # b, and b plus each column of W
        for kind in (np.float32, np.int64):
            W, b = student.collapse_linear([tuple(part.astype(kind) for part in layer) for layer in whole])
            wanted = np.float32 if kind is np.float32 else np.float64
            assert_dtype(W, wanted, name="W")
            assert_dtype(b, wanted, name="b")
            # Whole numbers below 2**24: float32 holds them all without rounding.
            assert_close(b, expected[0], name="b")
            assert_close(W, (expected[1:] - expected[0]).T, name="W")


@weight(2)
@number("11.H7")
def test_inputs_stay(student, rng):
    """No function changes its arguments, and no result shares memory with one: not with identity, not with one layer"""
    for widths in ((3, 3), (2, 4, 3)):
        student.collapse_linear(stack(rng, widths))
        assert_leaves_inputs_alone(student.observed)
    for values in (rng.uniform(0.1, 2, (2, 3)), -rng.uniform(0.1, 2, 4)):
        for name in NAMES:
            student.activation(name, values)
            assert_leaves_inputs_alone(student.observed)
    x, y = wave(rng, 6)
    student.random_feature_fit(x, y, 2, "identity", seed_from(rng))
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("11.H8")
def test_layers_that_do_not_chain(student, rng):
    """Widths that do not chain are refused, whichever two layers do not fit"""
    for widths, spoiled in (((3, 4, 2), 0), ((2, 5, 3, 4), 1), ((2, 5, 3, 4), 0)):
        layers = stack(rng, widths)
        W, b = layers[spoiled]
        layers[spoiled] = (np.vstack([W, W[:1]]), np.append(b, 1.0))  # one output more than the next layer takes
        assert_refuses(student.collapse_linear, layers, naming="layers")


@weight(1)
@number("11.H8")
def test_unknown_names(student, rng):
    """A name that is none of the nine is refused, also where it differs by a capital letter only"""
    x = rng.standard_normal(3)
    for name in ("maxout", "ReLU", "", "soft"):
        assert_refuses(student.activation, name, x, naming="name")
