"""Section 11: why non-linearity. Visible tests."""

import numpy as np
import pytest

from nnkit.grader.compare import assert_close, assert_equal, assert_shape

BY_HAND = {
    "identity": [-1.0, 0.0, 1.0],
    "step": [0.0, 1.0, 1.0],
    "sigmoid": [0.2689, 0.5, 0.7311],
    "tanh": [-0.7616, 0.0, 0.7616],
    "relu": [0.0, 0.0, 1.0],
    "leaky_relu": [-0.01, 0.0, 1.0],
    "elu": [-0.6321, 0.0, 1.0],
    "softplus": [0.3133, 0.6931, 1.3133],
    "gelu": [-0.1587, 0.0, 0.8413],
}


def test_two_layers_collapse(student):
    """The layers ([[1, 2], [0, 1]], [1, -1]) and ([[2, 0], [1, 1]], [0, 3]) are the layer ([[2, 4], [1, 3]], [2, 3])"""
    first = (np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, -1.0]))
    second = (np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([0.0, 3.0]))

    W, b = student.collapse_linear([first, second])
    assert_close(W, np.array([[2.0, 4.0], [1.0, 3.0]]), name="W")
    assert_close(b, np.array([2.0, 3.0]), name="b")


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(student, name):
    """Each activation has the lesson's values at -1, 0 and 1"""
    # Four digits as printed, so half a unit of the fourth.
    yours = student.activation(name, np.array([-1.0, 0.0, 1.0]))
    assert_close(yours, np.array(BY_HAND[name]), rtol=0.0, atol=0.5e-4, name=f"activation({name!r}, x)")


def test_a_layer_is_affine(student):
    """The layer (x0 - 2 x1 + 1, 3 x0) is affine"""
    W, b = np.array([[1.0, -2.0], [3.0, 0.0]]), np.array([1.0, 0.0])

    assert_equal(bool(student.is_affine(lambda X: X @ W.T + b, D=2, seed=0)), True, name="is_affine of a layer")


def test_a_layer_with_relu_is_not(student):
    """relu(x0 - 2 x1 + 1) is not affine"""
    w = np.array([[1.0], [-2.0]])

    yours = student.is_affine(lambda X: np.maximum(X @ w + 1, 0.0), D=2, seed=0)
    assert_equal(bool(yours), False, name="is_affine of a layer with relu")


def test_tanh_units_fit_a_sine(student):
    """30 random tanh units fit one and a half waves of a sine with a mean squared error below 0.001"""
    x = np.linspace(-1, 2, 40)
    result = student.random_feature_fit(x, np.sin(np.pi * x), 30, "tanh", seed=0)

    (W1, b1), (W2, b2) = result["layers"]
    assert_shape(W1, (30, 1), name="W1")
    assert_shape(b1, (30,), name="b1")
    assert_shape(W2, (1, 30), name="W2")
    assert_shape(b2, (1,), name="b2")
    assert_close(result["mse"], 0.0, atol=1e-3, name="mse")


def test_a_straight_line_does_not_fit_a_corner(student):
    """Without an activation 7 hidden units fit (-1, 1), (0, 0), (1, 1) no better than a line: the error is 2/9"""
    result = student.random_feature_fit(np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]), 7, "identity", seed=0)

    # Least squares with a handful of units: a few roundings of 1e-16.
    assert_close(result["mse"], 2 / 9, rtol=1e-9, name="mse")
