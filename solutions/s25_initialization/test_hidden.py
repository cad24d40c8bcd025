"""Section 25: weight initialization. Hidden tests.

No weight is compared with the reference's: a student may draw them with any generator.
"""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_close,
    assert_dtype,
    assert_equal,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refuses,
    assert_shape,
)


def seeds_from(rng, count=1):
    """Return different seeds for the student."""
    return [int(seed) for seed in rng.choice(2**31, count, replace=False)]


def variance_of(kind, n_out, n_in, std):
    """The variance that each weight of a layer is drawn with."""
    return {"normal": std**2, "xavier": 2 / (n_in + n_out), "he": 2 / n_in, "lecun": 1 / n_in}[kind]


@weight(6)
@number("25.H1")
@pytest.mark.parametrize("kind", ["normal", "xavier", "he", "lecun"])
def test_distribution(student, rng, kind):
    """More than 20 000 weights have mean 0, the variance of the table and the shape of a normal distribution"""
    n_out, n_in, std = int(rng.integers(90, 110)), int(rng.integers(230, 270)), float(rng.uniform(0.02, 0.5))
    W = student.initialize(kind, n_out, n_in, seeds_from(rng)[0], std)
    assert_shape(W, (n_out, n_in), name=f"initialize({kind!r}, {n_out}, {n_in}, ...)")

    # For N normal numbers: the mean varies by 1/sqrt(N) of the standard deviation, the variance by sqrt(2/N) of itself,
    # the fourth power's excess over 3 by sqrt(24/N). Five times each, and a little for the skew of the last.
    N, variance = W.size, variance_of(kind, n_out, n_in, std)
    assert abs(W.mean()) < 5 * np.sqrt(variance / N), f"the weights' mean is {W.mean():.3g}: they are not centred on 0"
    ratio = W.var() / variance
    assert abs(ratio - 1) < 5 * np.sqrt(2 / N), "the variance of the weights is not that of the table"
    excess = np.mean((W - W.mean()) ** 4) / W.var() ** 2 - 3
    assert abs(excess) < 6 * np.sqrt(24 / N), "the weights do not look as if drawn from a normal distribution"
    assert len({row.tobytes() for row in W}) == n_out, "some units have the same weights"
    assert len({column.tobytes() for column in W.T}) == n_in, "some inputs have the same weight in every unit"


@weight(1)
@number("25.H1")
def test_zeros(student, rng):
    """zeros gives nothing but zeros"""
    n_out, n_in = (int(size) for size in rng.choice(np.arange(2, 9), 2, replace=False))

    assert_close(student.initialize("zeros", n_out, n_in, seeds_from(rng)[0]), np.zeros((n_out, n_in)))


@weight(1)
@number("25.H1")
def test_default_spread(student, rng):
    """Without a std, normal draws with a standard deviation of 0.01"""
    W = student.initialize("normal", 40, 70, seeds_from(rng)[0])

    # The standard deviation of 2800 numbers varies by 1 / sqrt(5600) of itself.
    assert_close(W.std(), 0.01, rtol=5 / np.sqrt(5600), name="the standard deviation of the weights")


@weight(3)
@number("25.H2")
@pytest.mark.parametrize("kind", ["xavier", "he", "lecun"])
def test_uniform_limit(student, rng, kind):
    """The uniform distribution from -a to a has a variance of a²/3: a is the root of three times the table's"""
    n_out, n_in = (int(size) for size in rng.choice(np.arange(2, 900), 2, replace=False))

    yours = student.uniform_limit(kind, n_out, n_in)
    assert_close(
        yours, np.sqrt(3 * variance_of(kind, n_out, n_in, 0)), name=f"uniform_limit({kind!r}, {n_out}, {n_in})"
    )


# Each of 30 relu layers of w units multiplies the mean square by w/2 times the variance of the weights. From seed to seed
# the logarithm of the last root mean square varies around less than that: with 128 units by 0.50 around -0.23, with 64 by
# 0.71 around -0.50 (500 and 1500 trials). Five times this, both ways, makes factors of 1/16 and 10, 1/58 and 22.


@weight(2)
@number("25.H3")
def test_depth_with_he(student, rng):
    """Through 30 relu layers of 128 units he keeps the signal: the last root mean square is between 1/20 and 12"""
    last = student.signal_stds([128] * 31, "relu", "he", seeds_from(rng)[0], n=16)[-1]

    assert 1 / 20 < last < 12, f"after 30 relu layers the root mean square is {last:.3g}"


@weight(2)
@number("25.H3")
def test_depth_with_xavier(student, rng):
    """Through 30 relu layers of 64 units xavier lets the signal fade to about 0.00003, half of its square at each"""
    last = student.signal_stds([64] * 31, "relu", "xavier", seeds_from(rng)[0], n=16)[-1]

    assert 1 / 70 < last * 2**15 < 25, f"after 30 relu layers the root mean square is {last:.3g}"


@weight(2)
@number("25.H3")
@pytest.mark.parametrize("std", [0.001, 1.0])
def test_depth_with_fixed_spread(student, rng, std):
    """Through 30 relu layers of 64 units a std of 0.001 leaves about 1e-68, and one of 1 makes about 1e22 of the signal"""
    last = student.signal_stds([64] * 31, "relu", "normal", seeds_from(rng)[0], std, n=16)[-1]

    expected = (np.sqrt(32) * std) ** 30
    assert 1 / 70 < last / expected < 25, f"after 30 relu layers the root mean square is {last:.3g}"


@weight(1)
@number("25.H4")
def test_saturation(student, rng):
    """A std of 1 drives five tanh layers of 128 units into saturation: their root mean square is above 0.9"""
    found = student.signal_stds([128] * 6, "tanh", "normal", seeds_from(rng)[0], 1.0, n=16)

    assert_shape(found, (5,), name="signal_stds")
    assert ((found > 0.9) & (found < 1)).all(), "the outputs are not near -1 and 1"  # 0.955 to 0.971 in 30 trials


@weight(1)
@number("25.H4")
def test_selu_keeps_itself(student, rng):
    """Through 10 selu layers of 128 units lecun keeps the root mean square of each between 0.8 and 1.2"""
    found = student.signal_stds([128] * 11, "selu", "lecun", seeds_from(rng)[0], n=16)

    assert_shape(found, (10,), name="signal_stds")
    assert ((found > 0.8) & (found < 1.2)).all(), "the signal does not stay near 1"  # it varies by less than 0.035


def trained(X, y, hidden, output, steps=50, rate=0.5):
    """Full-batch gradient descent on the squared error of a net with one sigmoid layer; returns the hidden weights."""
    b, c = np.zeros(len(hidden)), np.zeros(len(output))
    for _ in range(steps):
        H = 1 / (1 + np.exp(-(X @ hidden.T + b)))
        error = 2 * (H @ output.T + c - y) / y.size
        delta = error @ output * H * (1 - H)
        output, c = output - rate * error.T @ H, c - rate * error.sum(axis=0)
        hidden, b = hidden - rate * delta.T @ X, b - rate * delta.sum(axis=0)
    return hidden


@weight(2)
@number("25.H5")
@pytest.mark.parametrize("start", ["zeros", "constant"])
def test_symmetry_is_never_broken(student, rng, start):
    """Units that start alike, from zeros or from any constant, are still one and the same after 50 steps of training"""
    X, y = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    first, second = seeds_from(rng, 2)
    if start == "zeros":
        hidden, output = student.initialize("zeros", 5, 3, first), student.initialize("zeros", 2, 5, second)
    else:
        hidden, output = np.full((5, 3), 0.3), np.full((2, 5), -0.2)

    # They have moved, all by the same: only roundings of 1e-16 could part them, far below 1e-12.
    assert_equal(student.distinct_units(trained(X, y, hidden, output)), 1, name="distinct_units after the training")


@weight(1)
@number("25.H5")
def test_chance_breaks_symmetry(student, rng):
    """Units that start from xavier are still all different after 50 steps of training"""
    X, y = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    first, second = seeds_from(rng, 2)
    hidden, output = student.initialize("xavier", 5, 3, first), student.initialize("xavier", 2, 5, second)

    assert_equal(student.distinct_units(trained(X, y, hidden, output)), 5, name="distinct_units after the training")


@weight(2)
@number("25.H6")
def test_seed(student, rng):
    """The same seed gives the same weights again, another seed others, and the global random state is left alone"""
    seed, other = seeds_from(rng, 2)
    first = student.initialize("he", 7, 5, seed)
    assert_leaves_random_state_alone(student.observed)
    second = student.initialize("he", 7, 5, other)

    assert not np.array_equal(first, second), "two seeds give the same weights"
    assert_equal(student.initialize("he", 7, 5, seed), first, name="the weights of the same seed")


@weight(2)
@number("25.H6")
def test_layers_of_their_own(student, rng):
    """In a chain of six single units without activation each layer multiplies by a weight of its own"""
    found = student.signal_stds([1] * 7, "identity", "normal", seeds_from(rng)[0], 1.0, n=20)
    assert_shape(found, (6,), name="signal_stds([1, 1, 1, 1, 1, 1, 1], ...)")

    # A layer multiplies all numbers by its one weight, so the ratios of neighbours are the sizes of the weights.
    ratios = np.sort(found[1:] / found[:-1])
    # Two of five random ratios are as close as 1e-9 by chance once in 1e8 times; with equal weights they agree to 1e-15.
    assert (np.diff(ratios) > 1e-9 * ratios[1:]).all(), "two layers have the same weight"


@weight(1)
@number("25.H6")
def test_seed_of_a_signal(student, rng):
    """signal_stds gives the same numbers for the same seed, others for another, and leaves the global state alone"""
    seed, other = seeds_from(rng, 2)
    first = student.signal_stds([4, 6, 3], "tanh", "xavier", seed, n=5)
    assert_leaves_random_state_alone(student.observed)
    second = student.signal_stds([4, 6, 3], "tanh", "xavier", other, n=5)

    assert not np.array_equal(first, second), "two seeds give the same numbers"
    assert_equal(student.signal_stds([4, 6, 3], "tanh", "xavier", seed, n=5), first, name="signal_stds, asked again,")


@weight(4)
@number("25.H7")
@pytest.mark.parametrize("kind", ["normal", "he"])
def test_growth_by_layer(student, rng, kind):
    """Without activation every layer multiplies the mean square by its number of inputs times the weights' variance"""
    sizes, std = [100, 150, 60], float(rng.uniform(0.02, 0.2))
    yours = student.signal_stds(sizes, "identity", kind, seeds_from(rng)[0], std, n=200)

    squares = [100 * variance_of(kind, 150, 100, std), 150 * variance_of(kind, 60, 150, std)]
    # In 2000 trials the first value varied by 0.9 %, the second by 1.65 %: five times that.
    for k, rtol in enumerate((0.045, 0.083)):
        assert_close(yours[k], np.sqrt(np.prod(squares[: k + 1])), rtol=rtol, name=f"signal_stds(...)[{k}]")
    assert_shape(yours, (2,), name="signal_stds([100, 150, 60], ...)")


@weight(1)
@number("25.H7")
def test_mean_square_of_relu(student, rng):
    """After one relu layer with he the root mean square, of all outputs and not of their distance to a mean, is 1"""
    yours = student.signal_stds([120, 100], "relu", "he", seeds_from(rng)[0], n=140)

    # It varied by 1.3 % in 2000 trials. Before the relu it is 1.41, and the standard deviation after it is 0.83.
    assert_close(yours, [1.0], rtol=0.07, name="signal_stds([120, 100], 'relu', 'he')")


@weight(1)
@number("25.H7")
def test_input_of_both_signs(student, rng):
    """Half of the input is negative: one sigmoid with a huge weight puts out 1 for one half of the samples and else 0"""
    yours = student.signal_stds([1, 1], "sigmoid", "normal", seeds_from(rng)[0], 1e9, n=400)

    # The share of 400 fair coins has a standard deviation of 0.025; five of them.
    assert_close(np.square(yours), [0.5], rtol=0.0, atol=0.125, name="the mean square of signal_stds([1, 1], ...)")


@weight(1)
@number("25.H7")
def test_constant_output(student, rng):
    """From zeros every sigmoid puts out 0.5, and that is the root mean square of each layer"""
    yours = student.signal_stds([3, 5, 2, 4, 1], "sigmoid", "zeros", seeds_from(rng)[0], n=int(rng.integers(1, 9)))

    assert_close(yours, np.full(4, 0.5), name="signal_stds([3, 5, 2, 4, 1], 'sigmoid', 'zeros')")


@weight(0.5)
@number("25.H8")
def test_bad_start(student):
    """initialize refuses an unknown kind, sizes below 1 and, for "normal" alone, a std of 0 or less, by name"""
    assert_refuses(student.initialize, "He", 3, 2, 1, naming="kind")
    assert_refuses(student.initialize, "he", 0, 2, 1, naming="n_out")
    assert_refuses(student.initialize, "xavier", 3, 0, 1, naming="n_in")
    for std in (-0.1, 0.0):
        assert_refuses(student.initialize, "normal", 3, 2, 1, std, naming="std")
    assert_shape(student.initialize("he", 3, 2, 1, 0.0), (3, 2), name="initialize('he', 3, 2, 1, 0.0)")


@weight(0.5)
@number("25.H8")
def test_bad_limit(student):
    """uniform_limit refuses sizes below 1 and every kind but the three of the table, by name"""
    assert_refuses(student.uniform_limit, "normal", 3, 2, naming="kind")
    assert_refuses(student.uniform_limit, "lecun", 0, 2, naming="n_out")
    assert_refuses(student.uniform_limit, "xavier", 3, -1, naming="n_in")


@weight(0.5)
@number("25.H8")
def test_bad_signal(student):
    """signal_stds refuses unknown names, fewer than two sizes, a size below 1, no samples and a std of 0, by name"""
    assert_refuses(student.signal_stds, [3, 2], "softmax", "he", 1, naming="activation")
    assert_refuses(student.signal_stds, [3, 2], "relu", "glorot", 1, naming="kind")
    for sizes in ([5], [4, 0, 3]):
        assert_refuses(student.signal_stds, sizes, "relu", "he", 1, naming="sizes")
    assert_refuses(student.signal_stds, [3, 2], "relu", "normal", 1, 0.0, naming="std")
    assert_refuses(student.signal_stds, [3, 2], "relu", "he", 1, n=0, naming="n")


@weight(0.5)
@number("25.H8")
def test_bad_recommendation(student):
    """recommend refuses an activation that the table does not have, by name"""
    assert_refuses(student.recommend, "softmax", naming="activation")


@weight(2)
@number("25.H9")
def test_different_rows(student, rng):
    """Of 40 rows of three small whole numbers distinct_units counts as many as there are different ones"""
    W = rng.integers(0, 3, (40, 3)).astype(np.float64)
    W[:6] = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 1, 1], [2, 2, 2], [0, 1, 2]]

    assert_equal(student.distinct_units(W), len({tuple(row) for row in W}), name="distinct_units(W)")


@weight(1)
@number("25.H9")
def test_within_the_tolerance(student, rng):
    """Rows that differ by less than tol are the same unit, wherever they lie"""
    tol = float(rng.uniform(0.01, 0.1))
    # Around multiples of tol and halfway between them: a grid of that width would part what belongs together.
    centres = tol * np.array([[10.0, 20.0], [10.5, 30.5], [50.0, 20.5], [70.5, 80.0]])
    W = np.repeat(centres, 5, axis=0) + rng.uniform(-0.4, 0.4, (20, 2)) * tol
    W = np.vstack([W, W[0] + 1e-13])[rng.permutation(21)]

    assert_equal(student.distinct_units(W, tol), 4, name="distinct_units(W, tol)")


@weight(1)
@number("25.H9")
def test_almost_alike(student, rng):
    """Rows that differ in a single entry, or agree in a single entry, are different, also where the entries are large"""
    row, other, first, second = rng.uniform(900, 1000, (4, 6))
    near = row + 1e-6 * (np.arange(6) == rng.integers(2, 6))
    first[0], second[1] = row[0], row[1]

    W = np.array([row, near, first, second, other])
    assert_equal(student.distinct_units(W), 5, name="distinct_units(W)")


@weight(1)
@number("25.H9")
def test_default_tolerance(student, rng):
    """Without a tol a difference of 5e-13 counts as none, and one of 3e-12 in a single entry makes another unit"""
    row, other = rng.uniform(0, 1, (2, 6))
    other[0] = row[0]
    place = np.arange(6) == rng.integers(1, 6)

    W = np.array([row, row + 5e-13 * place, row + 3e-12 * place, row + 1e-8, other, 2 * row, 3 * row])
    assert_equal(student.distinct_units(W), 6, name="distinct_units(W)")


@weight(1)
@number("25.H9")
def test_at_the_tolerance(student):
    """Rows that differ by exactly tol are the same, so a tol of 0 leaves equal rows equal"""
    # Quarters are exact in binary, and so are their differences.
    W = np.array([[1.0, 2.0], [1.25, 2.0], [3.0, 2.0]])
    quarter, nothing = student.distinct_units(W, 0.25), student.distinct_units(W[[0, 2, 0, 0]], 0.0)

    assert_equal(quarter, 2, name="distinct_units(W, 0.25)")
    assert_equal(nothing, 2, name="distinct_units(W, 0)")


@weight(1)
@number("25.H10")
def test_table(student):
    """xavier goes with sigmoid and tanh, he with leaky_relu and elu, lecun with selu"""
    table = {"sigmoid": "xavier", "tanh": "xavier", "leaky_relu": "he", "elu": "he", "selu": "lecun"}
    yours = {activation: student.recommend(activation) for activation in table}

    for activation, kind in table.items():
        assert_equal(yours[activation], kind, name=f"recommend({activation!r})")


@weight(0.7)
@number("25.H11")
def test_kind_of_number(student, rng):
    """The weights, zeros among them, and the root mean squares are float64"""
    seed = seeds_from(rng)[0]
    for kind in ("zeros", "lecun"):
        assert_dtype(student.initialize(kind, 3, 2, seed), np.float64, name=f"initialize({kind!r}, 3, 2, seed)")
    assert_dtype(student.signal_stds([3, 2], "relu", "he", seed, n=4), np.float64, name="signal_stds")


@weight(0.7)
@number("25.H11")
def test_arguments_stay(student, rng):
    """distinct_units leaves the weights and signal_stds the sizes as they were"""
    W = rng.standard_normal((5, 3))
    assert_equal(student.distinct_units(W), 5, name="distinct_units(W)")
    assert_leaves_inputs_alone(student.observed)
    found = student.signal_stds([4, 3, 2], "relu", "he", seeds_from(rng)[0], n=5)
    assert_leaves_inputs_alone(student.observed)
    assert_shape(found, (2,), name="signal_stds([4, 3, 2], ...)")
