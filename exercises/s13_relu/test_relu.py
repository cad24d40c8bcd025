"""Section 13: ReLU, Leaky ReLU, ELU. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_dtype


def test_relu_by_hand(student):
    """relu of -2, 0 and 3 is 0, 0 and 3"""
    assert_close(student.relu(np.array([-2.0, 0.0, 3.0])), np.array([0.0, 0.0, 3.0]), name="relu(x)")


def test_leaky_relu_by_hand(student):
    """leaky_relu of -2, 0 and 3 is -0.02, 0 and 3"""
    assert_close(student.leaky_relu(np.array([-2.0, 0.0, 3.0])), np.array([-0.02, 0.0, 3.0]), name="leaky_relu(x)")


def test_elu_by_hand(student):
    """elu of -2, 0 and 3 is -0.8647, 0 and 3"""
    # Four digits as printed, so half a unit of the fourth.
    expected = np.array([-0.8647, 0.0, 3.0])
    assert_close(student.elu(np.array([-2.0, 0.0, 3.0])), expected, rtol=0.0, atol=0.5e-4, name="elu(x)")


def test_relu_gradient_by_hand(student):
    """At -1 and 2 an incoming gradient of 5 and 7 leaves relu as 0 and 7"""
    x, upstream = np.array([-1.0, 2.0]), np.array([5.0, 7.0])

    assert_close(student.relu_backward(x, upstream), np.array([0.0, 7.0]), name="relu_backward(x, upstream)")


def test_variants_gradient_by_hand(student):
    """At -1 and 2 an incoming gradient of 5 and 7 leaves leaky_relu as 0.05 and 7, elu as 1.8394 and 7"""
    x, upstream = np.array([-1.0, 2.0]), np.array([5.0, 7.0])

    leaky = student.leaky_relu_backward(x, upstream)
    assert_close(leaky, np.array([0.05, 7.0]), name="leaky_relu_backward(x, upstream)")
    # 5 / e, four digits as printed.
    elu = student.elu_backward(x, upstream)
    assert_close(elu, np.array([1.8394, 7.0]), rtol=0.0, atol=0.5e-4, name="elu_backward(x, upstream)")


def test_dead_unit(student):
    """In a 4 x 3 layer with 7 zeros the sparsity is 7/12, and unit 1, which never fires, is dead"""
    H = np.array([[0.0, 0.0, 1.5], [2.0, 0.0, 0.0], [0.0, 0.0, 0.5], [3.0, 0.0, 1.0]])

    yours = student.activity(H)
    assert_close(yours["sparsity"], 7 / 12, name="sparsity")
    assert_dtype(yours["dead"], np.int64, name="dead")
    assert_close(yours["dead"], np.array([1]), name="dead")


def test_half_is_silent(student, rng):
    """relu silences about half of normally distributed numbers, and no unit of 40 samples is dead"""
    H = student.relu(rng.standard_normal((40, 10)))

    yours = student.activity(H)
    # The share of 400 fair coins has standard deviation 0.025; five of them.
    assert_close(yours["sparsity"], 0.5, rtol=0.0, atol=0.125, name="sparsity")
    assert_close(yours["dead"], np.zeros(0), name="dead")
