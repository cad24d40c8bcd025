"""Section 18: gradient descent, batch, stochastic and mini-batch. Visible tests."""

import numpy as np
import pytest

from nnkit.grader.compare import assert_close, assert_equal


def test_one_step_by_hand(student):
    """w = [1, 2] with gradient [0.5, -1] and lr 0.1 becomes [0.95, 2.1], and b = [3] with gradient [10] becomes [2]"""
    params, grads = [np.array([1.0, 2.0]), np.array([3.0])], [np.array([0.5, -1.0]), np.array([10.0])]

    assert_close(student.gd_step(params, grads, 0.1), [np.array([0.95, 2.1]), np.array([2.0])])


def test_path_on_a_parabola(student):
    """on f(w) = w * w with lr 0.25 the path from 4 is 4, 2, 1, 0.5"""
    path = student.descend(lambda w: 2 * w, np.array([4.0]), 0.25, 3)

    assert_close(path, [[4.0], [2.0], [1.0], [0.5]])


def test_gradient_of_the_squared_error_by_hand(student):
    """for residuals [0, 1] and inputs [[1, 2], [3, 4]] the gradient is dw = [3, 4], db = 1"""
    X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])
    dw, db = student.linreg_grad(X, y, np.array([1.0, 0.0]), 0.0)

    assert_close(dw, [3.0, 4.0], name="dw")
    assert_close(db, 1.0, name="db")


def test_one_epoch_by_hand(student):
    """one batch update on the points (1, 2) and (2, 4) with lr 0.1 gives w = 1, b = 0.6 and the loss 1.06"""
    X, y = np.array([[1.0], [2.0]]), np.array([2.0, 4.0])
    result = student.train_linear(X, y, lr=0.1, epochs=1, batch_size=None, seed=0)

    assert_close(result["path"], [[0.0, 0.0], [1.0, 0.6]], name="path")
    assert_close(result["losses"], [1.06], name="losses")


@pytest.mark.parametrize(("batch_size", "updates"), [(None, 1), (1, 7), (3, 3)])
def test_updates_in_an_epoch(student, batch_size, updates):
    """7 samples make 1 update in batch mode, 7 with batches of 1, and 3 with batches of 3"""
    X, y = np.arange(7.0)[:, None] / 7, np.arange(7.0)
    result = student.train_linear(X, y, lr=0.01, epochs=1, batch_size=batch_size, seed=3)

    assert_equal(result["updates"], updates, name="updates")


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_all_three_find_the_same_line(student, batch_size):
    """batch, stochastic and mini-batch training all find y = 2 x - 1 from five points on it"""
    X = np.array([[-1.0], [-0.5], [0.0], [0.5], [1.0]])
    result = student.train_linear(X, 2 * X[:, 0] - 1, lr=0.3, epochs=30, batch_size=batch_size, seed=5)

    # There is no noise. Batch mode is the slowest: the error of w shrinks by 1 - 2 * 0.3 * 0.5 = 0.7 per epoch, to 5e-5.
    assert_close(result["w"], [2.0], atol=1e-3, name="w")
    assert_close(result["b"], -1.0, atol=1e-3, name="b")
