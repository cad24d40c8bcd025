"""Section 16: losses. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_calm, assert_close

PRED, Y = np.array([[2.0, 5.0], [1.0, 0.0]]), np.array([[3.0, 3.0], [1.0, -1.0]])  # errors -1, 2, 0, 1
# Four digits as printed, so half a unit of the fourth.
PRINTED = {"rtol": 0.0, "atol": 0.5e-4}


def test_squared_error_by_hand(student):
    """Errors of -1, 2, 0 and 1 make a mean squared error of (1 + 4 + 0 + 1) / 4 = 1.5"""
    assert_close(student.mse(PRED, Y), 1.5, name="mse(pred, y)")


def test_squared_error_gradient_by_hand(student):
    """Its gradient is half of each error, 2 / 4: positive where the prediction is too large"""
    assert_close(student.mse_grad(PRED, Y), [[-0.5, 1.0], [0.0, 0.5]], name="mse_grad(pred, y)")


def test_absolute_error_by_hand(student):
    """The same errors make a mean absolute error of (1 + 2 + 0 + 1) / 4 = 1"""
    assert_close(student.mae(PRED, Y), 1.0, name="mae(pred, y)")


def test_absolute_error_gradient_by_hand(student):
    """Its gradient is -1/4, 1/4 or 0: only the sign of the error counts"""
    assert_close(student.mae_grad(PRED, Y), [[-0.25, 0.25], [0.0, 0.25]], name="mae_grad(pred, y)")


def test_binary_cross_entropy_by_hand(student):
    """0.9 for a 1 and 0.2 for a 0 cost (0.1054 + 0.2231) / 2 = 0.1643"""
    yours = student.bce(np.array([0.9, 0.2]), np.array([1.0, 0.0]))

    assert_close(yours, 0.1643, **PRINTED, name="bce(p, y)")


def test_confidently_wrong(student):
    """0.01 for a 1 costs 4.6052, and 0 for a 1 costs 27.631 after clipping, without a warning"""
    assert_close(student.bce(np.array([0.01]), np.array([1.0])), 4.6052, **PRINTED, name="bce([0.01], [1])")
    yours = student.bce(np.array([0.0]), np.array([1.0]))

    assert_calm(student.observed)
    assert_close(yours, 27.631, rtol=0.0, atol=0.5e-3, name="bce([0], [1])")


def test_binary_cross_entropy_of_logits_by_hand(student):
    """Logits of 2 and -1 for two ones cost (0.1269 + 1.3133) / 2 = 0.7201, with the gradient [-0.0596, -0.3655]"""
    z, y = np.array([2.0, -1.0]), np.array([1.0, 1.0])

    assert_close(student.bce_logits(z, y), 0.7201, **PRINTED, name="bce_logits(z, y)")
    assert_close(student.bce_logits_grad(z, y), [-0.0596, -0.3655], **PRINTED, name="bce_logits_grad(z, y)")


def test_categorical_cross_entropy_by_hand(student):
    """Scores [1, 2, 3] for class 2 and [0, 0, 0] for class 0 cost (0.4076 + 1.0986) / 2 = 0.7531"""
    yours = student.cce(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([2, 0]))

    assert_close(yours, 0.7531, **PRINTED, name="cce(logits, y)")


def test_categorical_gradient_by_hand(student):
    """The gradient is (softmax - one-hot) / 2: what is too probable is pushed down"""
    yours = student.cce_grad(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([2, 0]))

    expected = [[0.0450, 0.1224, -0.1674], [-0.3333, 0.1667, 0.1667]]
    assert_close(yours, expected, **PRINTED, name="cce_grad(logits, y)")


def test_perfect_predictions_cost_nothing(student):
    """A perfect prediction costs 0: exactly for the errors, to 1e-11 for the cross-entropies"""
    y = np.array([1.0, 0.0, 1.0])
    z = np.array([100.0, -100.0, 100.0])

    assert_close(student.mse(PRED, PRED), 0.0, name="mse(y, y)")
    assert_close(student.mae(PRED, PRED), 0.0, name="mae(y, y)")
    # Clipping to 1 - 1e-12 leaves 1e-12.
    assert_close(student.bce(y, y), 0.0, atol=1e-11, name="bce(y, y)")
    assert_close(student.bce_logits(z, y), 0.0, atol=1e-11, name="bce_logits(z, y)")
    assert_close(student.cce(np.array([[100.0, 0.0]]), np.array([0])), 0.0, atol=1e-11, name="cce([[100, 0]], [0])")


def test_knowing_nothing_costs_log_c(student):
    """Equal scores for C classes cost log(C), whatever the label: 0.6931 for 2 classes, 2.3026 for 10"""
    for C in (2, 10):
        yours = student.cce(np.full((3, C), 7.0), np.array([0, 1, 1]))
        assert_close(yours, np.log(C), rtol=1e-12, name=f"cce of {C} equal scores")
