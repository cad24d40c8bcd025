"""Section 16: losses. Hidden tests."""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
    float32_atol,
)

SHAPES = [(), (1,), (7,), (4, 4), (2, 3, 5)]
CLASSES = [(5, 5), (9, 3), (1, 2), (4, 7)]  # N and C
ERRORS = ["mse", "mae"]
BINARY = ["bce", "bce_logits"]
# Sums of at most 63 terms of one sign, a few roundings of 1e-16 each.
DIGITS = {"rtol": 1e-12}


def mean(terms):
    """The exactly rounded mean of a few numbers."""
    terms = [float(term) for term in terms]
    return math.fsum(terms) / len(terms)


# Term by term, with Python's own arithmetic.
LOSS = {
    "mse": lambda p, y: mean((a - b) ** 2 for a, b in zip(p, y, strict=True)),
    "mae": lambda p, y: mean(abs(a - b) for a, b in zip(p, y, strict=True)),
    "bce": lambda p, y: mean(-b * math.log(a) - (1 - b) * math.log1p(-a) for a, b in zip(p, y, strict=True)),
    "bce_logits": lambda z, y: mean(math.log1p(math.exp(a)) - a * b for a, b in zip(z, y, strict=True)),
}


def numbers(rng, shape):
    """Predictions and targets that differ everywhere by 0.01 at least, on either side."""
    y = rng.normal(0, 3, shape)
    return np.array(y + rng.choice([-1.0, 1.0], shape) * rng.uniform(0.01, 4, shape)), np.array(y)


def chances(rng, shape):
    """Probabilities well inside 0 to 1, and targets: mostly 0 and 1, some between."""
    y = np.where(rng.random(shape) < 0.7, rng.integers(0, 2, shape), rng.uniform(0, 1, shape))
    return np.array(rng.uniform(0.02, 0.98, shape)), np.array(y)


def scores(rng, n, classes):
    """Logits and labels."""
    return rng.normal(0, 2, (n, classes)), rng.integers(0, classes, n)


# Values


@weight(3)
@number("16.H1")
def test_squared_error(student, rng):
    """mse is the mean over all elements, for any shape"""
    for shape in SHAPES:
        pred, y = numbers(rng, shape)
        assert_close(student.mse(pred, y), LOSS["mse"](pred.flat, y.flat), **DIGITS, name="mse(pred, y)")


@weight(2)
@number("16.H1")
def test_absolute_error(student, rng):
    """mae is the mean over all elements, for any shape"""
    for shape in SHAPES:
        pred, y = numbers(rng, shape)
        assert_close(student.mae(pred, y), LOSS["mae"](pred.flat, y.flat), **DIGITS, name="mae(pred, y)")


@weight(2)
@number("16.H1")
def test_binary_from_probabilities(student, rng):
    """bce is the mean over all elements, for targets of 0, 1 and between"""
    for shape in SHAPES:
        p, y = chances(rng, shape)
        assert_close(student.bce(p, y), LOSS["bce"](p.flat, y.flat), **DIGITS, name="bce(p, y)")


@weight(2)
@number("16.H1")
def test_binary_from_logits(student, rng):
    """bce_logits is the mean over all elements, for targets of 0, 1 and between"""
    for shape in SHAPES:
        z, y = np.array(rng.uniform(-5, 5, shape)), chances(rng, shape)[1]
        assert_close(student.bce_logits(z, y), LOSS["bce_logits"](z.flat, y.flat), **DIGITS, name="bce_logits(z, y)")


@weight(3)
@number("16.H1")
def test_categorical(student, rng):
    """cce is the mean over the samples of minus the log-probability of each label"""
    for n, classes in CLASSES:
        logits, y = scores(rng, n, classes)
        expected = mean(
            math.log(math.fsum(math.exp(score) for score in row)) - row[label]
            for row, label in zip(logits.tolist(), y.tolist(), strict=True)
        )
        # The logarithm of the sum and the score cancel: an absolute error of a few 1e-16 times their size.
        assert_close(student.cce(logits, y), expected, **DIGITS, atol=1e-14, name="cce(logits, y)")


# Gradients


@weight(4)
@number("16.H2")
@pytest.mark.parametrize("name", ERRORS)
def test_gradients_of_errors(student, reference, rng, name):
    """mse_grad and mae_grad are what central differences find, for few elements and for many"""
    loss = getattr(reference, name)
    for shape in ((), (5,), (3, 3), (4, 1, 2)):
        pred, y = numbers(rng, shape)
        factor = rng.uniform(0.5, 2)
        yours = factor * getattr(student, f"{name}_grad")(pred, y)
        assert_gradient(yours, lambda at, y=y: loss(at, y), pred, factor, name=f"{name}_grad")


@weight(2)
@number("16.H2")
def test_no_error_no_pull(student, rng):
    """Where prediction and target are equal, the gradients of both errors are 0"""
    y = rng.integers(-3, 4, (3, 4)).astype(np.float64)
    error = np.array([[0.0, 1.0, -2.0, 0.0], [3.0, 0.0, 0.0, -1.0], [0.0, 0.0, -0.5, 4.0]])

    assert_close(student.mae_grad(y + error, y), np.sign(error) / 12, **DIGITS, name="mae_grad(pred, y)")
    assert_close(student.mse_grad(y + error, y), error / 6, **DIGITS, name="mse_grad(pred, y)")


@weight(3)
@number("16.H2")
def test_gradient_of_binary(student, reference, rng):
    """bce_logits_grad is what central differences find, for few elements and for many"""
    for shape in ((), (5,), (3, 3), (4, 1, 2)):
        z, y = np.array(rng.uniform(-4, 4, shape)), chances(rng, shape)[1]
        factor = rng.uniform(0.5, 2)
        yours = factor * student.bce_logits_grad(z, y)
        assert_gradient(yours, lambda at, y=y: reference.bce_logits(at, y), z, factor, name="bce_logits_grad")


@weight(4)
@number("16.H2")
def test_gradient_of_categorical(student, reference, rng):
    """cce_grad is what central differences find, for few samples and for many"""
    for n, classes in CLASSES:
        logits, y = scores(rng, n, classes)
        factor = rng.uniform(0.5, 2)
        yours = factor * student.cce_grad(logits, y)
        assert_gradient(yours, lambda at, y=y: reference.cce(at, y), logits, factor, name="cce_grad")


# Extremes


@weight(2)
@number("16.H3")
def test_certain_and_wrong(student, rng):
    """A probability of exactly 0 or 1 that is wrong costs 27.631, and nothing is NaN, infinite or warned of"""
    # log(1e-12) = -27.631. 1 - 1e-12 is rounded by 5.5e-17, which is 5.5e-5 of 1e-12: so much may the logarithm be off.
    for p, y in (([0.0], [1.0]), ([1.0], [0.0])):
        yours = student.bce(np.array(p), np.array(y))
        assert_calm(student.observed)
        assert_close(yours, 27.63102, rtol=0.0, atol=1e-4, name=f"bce({p}, {y})")

    wrong = rng.permutation([True, False, True, False, False, True, False])
    y = rng.integers(0, 2, 7).astype(np.float64)
    yours = student.bce(np.where(wrong, 1 - y, y), y)
    assert_calm(student.observed)
    assert_close(yours, 27.63102 * 3 / 7, rtol=0.0, atol=1e-4, name="bce(p, y)")


@weight(2)
@number("16.H3")
def test_any_clipping(student, rng):
    """bce moves probabilities to eps and 1 - eps, and leaves those between as they are, for any eps"""
    eps = float(rng.uniform(0.02, 0.1))
    inside = rng.uniform(0.11, 0.89)
    for p, y, expected in (
        (0.0, 1.0, -math.log(eps)),
        (0.01, 1.0, -math.log(eps)),
        (0.01, 0.0, -math.log1p(-eps)),
        (0.99, 1.0, -math.log1p(-eps)),
        (0.99, 0.0, -math.log(eps)),
        (inside, 1.0, -math.log(inside)),
        (inside, 0.0, -math.log1p(-inside)),
    ):
        yours = student.bce(np.array([p]), np.array([y]), eps)
        assert_close(yours, expected, **DIGITS, name=f"bce([{p:.3g}], [{y:.0f}], eps={eps:.3g})")


@weight(3)
@number("16.H3")
def test_large_logits(student, rng):
    """A logit of -800 for a 1 and of 800 for a 0 cost 800, with a gradient of -1 and 1, without an overflow"""
    far = float(rng.uniform(750, 1e5))
    # First one that everybody can do, so that a function which is wrong everywhere is told from one which overflows.
    assert_close(student.bce_logits(np.array([-20.0]), np.array([1.0])), 20.0, rtol=1e-9, name="bce_logits([-20], [1])")
    for z, y, loss, slope in ((-800.0, 1.0, 800.0, -1.0), (800.0, 0.0, 800.0, 1.0), (-far, 1.0, far, -1.0)):
        yours = student.bce_logits(np.array([z]), np.array([y]))
        assert_calm(student.observed)
        assert_close(yours, loss, **DIGITS, name=f"bce_logits([{z:.5g}], [{y:.0f}])")
        yours = student.bce_logits_grad(np.array([z]), np.array([y]))
        assert_calm(student.observed)
        assert_close(yours, np.array([slope]), **DIGITS, name=f"bce_logits_grad([{z:.5g}], [{y:.0f}])")

    # And in company: 40 is where float64 has no more room for 1 - p.
    z, y = np.array([-800.0, 40.0, 3.0, 800.0, -40.0]), np.array([1.0, 0.0, 1.0, 1.0, 0.25])
    yours = student.bce_logits(z, y)
    expected = (800 + 40 + math.log1p(math.exp(-3)) + 0 + 10) / 5
    assert_close(yours, expected, **DIGITS, name="bce_logits(z, y)")


@weight(3)
@number("16.H3")
def test_large_scores(student, reference, rng):
    """Scores in the thousands cost thousands, with finite gradients and without an overflow, whatever the other rows are"""
    logits, y = scores(rng, 6, 4)
    aside = np.array([[0.0], [2000.0], [-4000.0], [9.0], [0.0], [650.0]])
    for batch in (logits + aside, 1000 * logits):
        yours = student.cce(batch, y)
        assert_calm(student.observed)
        # Differences of scores up to 2e4: an absolute error of a few 1e-12.
        assert_close(yours, reference.cce(batch, y), **DIGITS, atol=1e-11, name="cce(logits, y)")
        yours = student.cce_grad(batch, y)
        assert_calm(student.observed)
        assert_close(yours, reference.cce_grad(batch, y), rtol=1e-9, atol=1e-11, name="cce_grad(logits, y)")


@weight(1)
@number("16.H3")
def test_nothing_is_capped(student, rng):
    """A class that is 30, 200 or 900 behind costs just that: no epsilon caps the loss"""
    for behind in (30.0, 200.0, 900.0, float(rng.uniform(40, 700))):
        yours = student.cce(np.array([[5.0, 5.0 - behind]]), np.array([1]))
        # log(1 + exp(-30)) adds 1e-13.
        assert_close(yours, behind, rtol=1e-12, name=f"the loss of a class {behind:.3g} behind")


# Two ways to say the same


@weight(3)
@number("16.H4")
@pytest.mark.parametrize("name", ["cce", "cce_grad"])
def test_labels_or_one_hot(student, reference, rng, name):
    """Labels and one-hot rows give the same loss and the same gradient, be the rows floats, ints or bools"""
    for n, classes in CLASSES:
        logits, y = scores(rng, n, classes)
        expected = getattr(reference, name)(logits, y)
        assert_close(getattr(student, name)(logits, y), expected, **DIGITS, atol=1e-14, name=f"{name} with labels")
        for kind in (np.float64, np.int64, np.bool_):
            yours = getattr(student, name)(logits, np.eye(classes, dtype=kind)[y])
            assert_close(yours, expected, **DIGITS, atol=1e-14, name=f"{name} with one-hot {np.dtype(kind)}")


@weight(2)
@number("16.H4")
def test_soft_targets(student, reference, rng):
    """A row of targets may spread its 1 over several classes: the loss is the weighted mean of the labels' losses"""
    n, classes = 5, 3
    logits, _ = scores(rng, n, classes)
    rows = rng.dirichlet(np.ones(classes), n)

    loss = sum(
        rows[i, k] * reference.cce(logits[i : i + 1], np.array([k])) for i in range(n) for k in range(classes)
    )  # fmt: skip
    assert_close(student.cce(logits, rows), loss / n, rtol=1e-10, name="cce(logits, rows)")
    assert_gradient(student.cce_grad(logits, rows), lambda at: reference.cce(at, rows), logits, 1.0, name="cce_grad")


# What holds for any numbers


@weight(1)
@number("16.H5")
def test_twice_the_error(student, rng):
    """Twice the errors make four times the mse and twice the mae"""
    for shape in ((1,), (3,), (2, 5)):  # small ones first: the first failure is easy to read
        y, error = rng.integers(-40, 40, shape) / 8, rng.integers(1, 40, shape) / 8  # eighths: sums are exact
        error *= rng.choice([-1.0, 1.0], shape)
        # Roundings of 1e-16 in two means.
        assert_close(student.mse(y + 2 * error, y), 4 * student.mse(y + error, y), **DIGITS, name="mse")
        assert_close(student.mae(y + 2 * error, y), 2 * student.mae(y + error, y), **DIGITS, name="mae")
        assert student.mse(y + error, y) > 0, "an error must cost something"
        assert student.mae(y + error, y) > 0, "an error must cost something"


@weight(1)
@number("16.H5")
def test_only_differences_count(student, rng):
    """Adding a number to all scores of a sample changes neither cce nor its gradient, whose rows add up to 0"""
    for n, classes in ((1, 2), (4, 3), (3, 6)):
        logits, y = scores(rng, n, classes)
        shift = rng.uniform(-50, 50, (n, 1))
        gradient = student.cce_grad(logits, y)
        # The shift makes the scores' own rounding up to 1e-14.
        assert_close(student.cce(logits + shift, y), student.cce(logits, y), atol=1e-12, name="cce")
        assert_close(student.cce_grad(logits + shift, y), gradient, atol=1e-12, name="cce_grad")
        assert_close(gradient.sum(axis=1), np.zeros(n), atol=1e-14, name="the sums of the rows of cce_grad")
        assert np.abs(gradient).max() > 0, "the gradient must not vanish"


@weight(1)
@number("16.H5")
def test_two_classes(student, rng):
    """The binary cross-entropy of z is the categorical one of the scores [0, z], and of the probability sigmoid(z)"""
    z, y = rng.uniform(-6, 6, 8), rng.integers(0, 2, 8)
    loss = student.bce_logits(z, y)

    assert_close(student.cce(np.stack([np.zeros(8), z], axis=1), y), loss, rtol=1e-10, name="cce")
    # 1 - p is rounded by 1e-16 where it may be 0.0025.
    assert_close(student.bce(1 / (1 + np.exp(-z)), y), loss, rtol=1e-10, name="bce")
    one = student.cce_grad(np.stack([np.zeros(8), z], axis=1), y)[:, 1]
    assert_close(one, student.bce_logits_grad(z, y), atol=1e-14, name="the second column of cce_grad")


# Bad input, no mutation


@weight(2)
@number("16.H6")
@pytest.mark.parametrize("name", ["mse", "mse_grad", "mae", "mae_grad", "bce", "bce_logits", "bce_logits_grad"])
def test_other_shape(student, rng, name):
    """Targets of another shape are refused by name, also where numpy could stretch them: (N,) against (N, 1)"""
    for one, other in (((4,), (4, 1)), ((4, 1), (4,)), ((3,), (1,)), ((2, 3), (3,)), ((2, 3), (3, 2))):
        assert_refuses(getattr(student, name), rng.uniform(0.1, 0.9, one), rng.uniform(0, 1, other), naming="y")


@weight(1)
@number("16.H6")
@pytest.mark.parametrize("name", ["cce", "cce_grad"])
def test_labels_that_do_not_fit(student, rng, name):
    """cce and cce_grad refuse other numbers of targets, rows of another width, and labels outside 0 to C - 1"""
    N, C = 5, 3
    logits, y = scores(rng, N, C)
    for label in (-1, C, C + int(rng.integers(1, 9))):
        wrong = y.copy()
        wrong[2] = label
        assert_refuses(getattr(student, name), logits, wrong, naming="y")
    for wrong in (y[:4], np.zeros(1, np.int64), np.eye(C)[y][:1], np.eye(C)[y][:, :1], np.eye(C + 1)[y]):
        assert_refuses(getattr(student, name), logits, wrong, naming="y")


@weight(1)
@number("16.H6")
@pytest.mark.parametrize("name", [*BINARY, "bce_logits_grad"])
def test_targets_outside(student, rng, name):
    """A binary target below 0 or above 1 is refused by name"""
    for bad in (-1e-9, 1 + 1e-9, -1.0, 2.0, float(rng.uniform(1.1, 9))):
        p, y = chances(rng, (2, 3))
        y[1, 2] = bad
        assert_refuses(getattr(student, name), p, y, naming="y")


EMPTY = {
    "mse": "pred", "mse_grad": "pred", "mae": "pred", "mae_grad": "pred",
    "bce": "p", "bce_logits": "z", "bce_logits_grad": "z", "cce": "logits", "cce_grad": "logits",
}  # fmt: skip


@weight(1)
@number("16.H6")
@pytest.mark.parametrize("name", list(EMPTY))
def test_nothing_to_average(student, name):
    """No samples, no loss: an empty first argument is refused by name"""
    rows = np.zeros((0, 3))
    for pair in [(rows, np.zeros(0, np.int64)), (rows, rows)] if "cce" in name else [(rows, rows), (rows[:, 0],) * 2]:
        assert_refuses(getattr(student, name), *pair, naming=EMPTY[name])


@weight(1)
@number("16.H6")
@pytest.mark.parametrize("name", list(EMPTY))
def test_inputs_stay(student, rng, name):
    """No function changes its arguments, and no gradient shares memory with one"""
    pairs = [scores(rng, 4, 3), (rng.standard_normal((3, 3)), np.eye(3))] if "cce" in name else [chances(rng, (3, 4))]
    for pred, y in pairs:
        getattr(student, name)(pred, y)
        assert_leaves_inputs_alone(student.observed)


# What minimises them


def lowest(gradient, low, high):
    """The number in a range at which a sum of gradients changes its sign, by halving the range 30 times."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if gradient(middle) > 0 else (middle, high)
    return (low + high) / 2


@weight(2)
@number("16.H7")
@pytest.mark.parametrize(("name", "statistic"), [("mse", np.mean), ("mae", np.median)])
def test_mean_and_median(student, rng, name, statistic):
    """The one number with the least mse is the mean of the data, with the least mae the median, outlier or not"""
    y = np.append(rng.uniform(-2, 2, 8), rng.uniform(50, 100))
    loss, gradient = getattr(student, name), getattr(student, f"{name}_grad")

    best = lowest(lambda c: gradient(np.full(9, c), y).sum(), -10.0, 110.0)
    # 120 halved 30 times is 1.1e-7.
    assert_close(best, float(statistic(y)), rtol=0.0, atol=1e-6, name=f"where the gradient of {name} changes its sign")
    for aside in (-0.1, 0.1):
        assert loss(np.full(9, best), y) < loss(np.full(9, best + aside), y), f"{name} must be least there"


@weight(1)
@number("16.H7")
def test_share_of_ones(student, rng):
    """The one probability with the least binary cross-entropy is the share of ones"""
    ones, zeros = int(rng.integers(10, 15)), int(rng.integers(4, 9))
    y = rng.permutation(np.repeat([0, 1], [zeros, ones]))

    z = lowest(lambda c: student.bce_logits_grad(np.full(len(y), c), y).sum(), -5.0, 5.0)
    # 10 halved 30 times is 1e-8.
    assert_close(1 / (1 + math.exp(-z)), ones / len(y), rtol=0.0, atol=1e-7, name="sigmoid(z) with the least loss")


@weight(1)
@number("16.H7")
def test_shares_of_classes(student, rng):
    """Where softmax gives the shares of the classes, the gradients of cce add up to 0 and the loss is their entropy"""
    counts = rng.permutation([2, 4, 7])
    labels = rng.permutation(np.repeat(np.arange(3), counts))
    logits = np.tile(np.log(counts / 13), (13, 1))

    yours = student.cce_grad(logits, labels)
    assert_close(yours.sum(axis=0), np.zeros(3), atol=1e-14, name="the summed cce_grad")
    assert np.abs(yours).max() > 0, "the gradient of a single sample must not vanish"
    entropy = float(-(counts / 13 * np.log(counts / 13)).sum())
    assert_close(student.cce(logits, labels), entropy, rtol=1e-10, name="cce at the shares")


# Kinds of number


@weight(1)
@number("16.H8")
@pytest.mark.parametrize("name", ["mse_grad", "mae_grad", "bce_logits_grad", "cce_grad"])
def test_kind_of_gradient(student, reference, rng, name):
    """float32 gives a float32 gradient also for int or float64 targets; float64 and ints give float64"""
    wide, y = (3 * rng.standard_normal((4, 3)), rng.integers(0, 2, (4, 3)))
    targets = [np.array([0, 2, 1, 1]), np.eye(3)[[0, 2, 1, 1]]] if name == "cce_grad" else [y, y.astype(np.float64)]
    for target in targets:
        single = wide.astype(np.float32)
        yours = getattr(student, name)(single, target)
        assert_dtype(yours, np.float32, name=f"{name} of float32 and {target.dtype}")
        # Sums of 3 exponentials; gradients of up to 1.
        expected = getattr(reference, name)(single.astype(np.float64), target)
        assert_close(yours, expected, atol=float32_atol(3), name=f"{name} of float32 and {target.dtype}")

        whole = np.rint(wide).astype(np.int64)
        for given in (wide, whole):
            yours = getattr(student, name)(given, target)
            assert_dtype(yours, np.float64, name=f"{name} of {given.dtype} and {target.dtype}")
            expected = getattr(reference, name)(given.astype(np.float64), target)
            assert_close(yours, expected, **DIGITS, atol=1e-14, name=f"{name} of {given.dtype} and {target.dtype}")


@weight(1)
@number("16.H8")
def test_pixels(student, rng):
    """uint8 pixels are numbers like others: 3 - 5 is -2 and not 254"""
    pred, y = rng.permutation(256)[:12].reshape(2, 3, 2).astype(np.uint8)
    error = pred.astype(np.float64) - y

    assert_close(student.mse(pred, y), float((error**2).mean()), **DIGITS, name="mse of uint8")
    assert_close(student.mae(pred, y), float(np.abs(error).mean()), **DIGITS, name="mae of uint8")
    assert_close(student.mse_grad(pred, y), error / 3, **DIGITS, name="mse_grad of uint8")
    assert_close(student.mae_grad(pred, y), np.sign(error) / 6, **DIGITS, name="mae_grad of uint8")


@weight(1)
@number("16.H8")
def test_single_precision_loss(student, rng):
    """A float32 probability of 1 is clipped as well, and losses of float32 numbers have five correct digits"""
    for p, y in (([0.0], [1.0]), ([1.0], [0.0])):
        yours = student.bce(np.array(p, np.float32), np.array(y, np.float32))
        assert_calm(student.observed)
        assert_close(yours, 27.63102, rtol=0.0, atol=1e-4, name=f"bce({p}, {y}) in float32")

    p, y = chances(rng, 30)
    for name, pred in (("mse", p), ("mae", p), ("bce", p), ("bce_logits", 4 * p - 2)):
        single, target = pred.astype(np.float32), y.astype(np.float32)
        expected = LOSS[name](single.tolist(), target.tolist())
        yours = getattr(student, name)(single, target)
        # 30 terms of one sign, each of a few roundings of 6e-8.
        assert_close(float(yours), expected, rtol=1e-5, name=f"{name} in float32")
