"""Section 25: weight initialization. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal, assert_shape


def test_shape(student):
    """The weights of 3 units with 2 inputs are 3 rows of 2, with zeros, normal and xavier"""
    for kind in ("zeros", "normal", "xavier"):
        assert_shape(student.initialize(kind, 3, 2, seed=1), (3, 2), name=f"initialize({kind!r}, 3, 2, seed=1)")


def test_variance_of_he(student):
    """The 600 weights of 15 units with 40 inputs, drawn by he, have a variance near 2/40 = 0.05"""
    W = student.initialize("he", 15, 40, seed=1)

    # The variance of 600 normal numbers is off by sqrt(2 / 600) of itself on average: five times that.
    assert_close(np.var(W), 0.05, rtol=5 * np.sqrt(2 / 600), name="the variance of initialize('he', 15, 40, seed=1)")


def test_seeds(student):
    """Seed 1 gives the same weights twice, seed 2 gives others"""
    first, again, other = (student.initialize("lecun", 4, 3, seed) for seed in (1, 1, 2))

    assert_equal(again, first, name="initialize('lecun', 4, 3, seed=1), asked again,")
    assert not np.array_equal(first, other), "seeds 1 and 2 give the same weights"


def test_zeros_are_one_unit(student):
    """Five units that start from zeros are one and the same unit"""
    W = student.initialize("zeros", 5, 3, seed=1)

    assert_close(W, np.zeros((5, 3)), name="initialize('zeros', 5, 3, seed=1)")
    assert_equal(student.distinct_units(W), 1, name="distinct_units of zeros")


def test_distinct_units_by_hand(student):
    """[1, 2], [3, 4], [1, 2] and [2, 1] are 3 different units"""
    W = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [2.0, 1.0]])

    assert_equal(student.distinct_units(W), 3, name="distinct_units(W)")


def test_limits_by_hand(student):
    """The limits of the uniform distributions are 0.5 for he (3, 24), 1 for xavier (2, 4), 0.2 for lecun (5, 75)"""
    for kind, n_out, n_in, a in [("he", 3, 24, 0.5), ("xavier", 2, 4, 1.0), ("lecun", 5, 75, 0.2)]:
        assert_close(student.uniform_limit(kind, n_out, n_in), a, name=f"uniform_limit({kind!r}, {n_out}, {n_in})")


def test_signal_through_zeros(student):
    """Zero weights put out 0 with relu and 0.5 with sigmoid, in each of three layers"""
    assert_close(student.signal_stds([4, 3, 2, 5], "relu", "zeros", seed=1, n=8), np.zeros(3), name="relu")
    assert_close(student.signal_stds([4, 3, 2, 5], "sigmoid", "zeros", seed=1, n=8), np.full(3, 0.5), name="sigmoid")


def test_signal_through_relu(student):
    """After five relu layers of 40 units he has kept the signal near 1, and a std of 0.01 has left less than 0.00001"""
    kept = student.signal_stds([40] * 6, "relu", "he", seed=1, n=20)
    faded = student.signal_stds([40] * 6, "relu", "normal", seed=1, std=0.01, n=20)

    assert_shape(kept, (5,), name="signal_stds([40, 40, 40, 40, 40, 40], ...)")
    # From seed to seed the logarithm of the last value varies by 0.25 around -0.06; five times that, both ways.
    last, lost = float(kept[-1]), float(faded[-1])
    assert 0.25 < last < 4, f"with he the last layer's root mean square is {last:.3g}"
    assert lost < 1e-5, f"with a std of 0.01 the last layer's root mean square is {lost:.3g}"


def test_recommendations(student):
    """xavier goes with tanh, he with relu, lecun with selu"""
    for activation, kind in [("tanh", "xavier"), ("relu", "he"), ("selu", "lecun")]:
        assert_equal(student.recommend(activation), kind, name=f"recommend({activation!r})")
