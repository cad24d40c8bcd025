"""Section 26: SGD with momentum, RMSProp, Adam and AdamW. Visible tests."""

import numpy as np
import pytest

from nnkit.grader.compare import assert_close, assert_equal


def test_one_sgd_step(student):
    """SGD(lr=0.1) moves the weights [1, -2] with gradient [0.5, 4] to [0.95, -2.4]"""
    opt = student.SGD(lr=0.1)

    moved = opt.step({"w": np.array([1.0, -2.0])}, {"w": np.array([0.5, 4.0])})

    assert_close(moved, {"w": np.array([0.95, -2.4])})


def test_momentum_remembers(student):
    """With momentum 0.5 and gradients 4, then 0, a weight at 1 goes to 0.6 and, still rolling, to 0.4"""
    opt = student.SGD(lr=0.1, momentum=0.5)

    first = opt.step({"w": np.array([1.0])}, {"w": np.array([4.0])})
    second = opt.step(first, {"w": np.array([0.0])})

    assert_close(first, {"w": np.array([0.6])})
    assert_close(second, {"w": np.array([0.4])})


def test_first_rmsprop_step(student):
    """RMSProp(lr=0.1, alpha=0.75, eps=2) moves a weight at 1 with gradient 4 to 1 - 0.1 * 4 / (2 + 2) = 0.9"""
    opt = student.RMSProp(lr=0.1, alpha=0.75, eps=2.0)

    moved = opt.step({"w": np.array([1.0])}, {"w": np.array([4.0])})

    assert_close(moved, {"w": np.array([0.9])})


def test_first_adam_step(student):
    """Adam's first step is lr * sign(gradient), whether the gradient is 300 or -0.02"""
    opt = student.Adam(lr=0.1)

    moved = opt.step({"w": np.array([1.0, 1.0])}, {"w": np.array([300.0, -0.02])})

    # eps = 1e-8 shortens the step by the factor 0.02 / (0.02 + 1e-8), by 5e-7 of itself
    assert_close(moved, {"w": np.array([0.9, 1.1])}, rtol=1e-6)


def test_adamw_shrinks_the_weight_itself(student):
    """AdamW(lr=0.1, weight_decay=0.5) with zero gradient takes [2, -4] to [1.9, -3.8]"""
    opt = student.AdamW(lr=0.1, weight_decay=0.5)

    moved = opt.step({"w": np.array([2.0, -4.0])}, {"w": np.zeros(2)})

    assert_close(moved, {"w": np.array([1.9, -3.8])})


@pytest.mark.parametrize("name", ["SGD", "RMSProp", "Adam", "AdamW"])
def test_a_parameter_without_gradient_stays(student, name):
    """A parameter that has no entry in grads comes back as it was"""
    opt = getattr(student, name)(lr=0.1)

    moved = opt.step({"a": np.array([5.0, 6.0])}, {})

    assert_equal(moved, {"a": np.array([5.0, 6.0])})


def test_state_moves_to_another_optimizer(student):
    """load_state(state()) lets a second optimizer go on with the velocity of the first"""
    first, second = student.SGD(lr=0.1, momentum=0.5), student.SGD(lr=0.1, momentum=0.5)
    moved = first.step({"w": np.array([1.0])}, {"w": np.array([4.0])})

    second.load_state(first.state())

    assert_close(second.step(moved, {"w": np.array([0.0])}), {"w": np.array([0.4])})
