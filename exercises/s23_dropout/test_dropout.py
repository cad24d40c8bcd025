"""Section 23: dropout. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal

# Two samples of three units, p = 0.2. In the first sample unit 1 is dropped, in the second unit 0.
X = np.array([[2.0, 4.0, 6.0], [8.0, 10.0, 1.0]])
U = np.array([[0.9, 0.1, 0.2], [0.05, 0.55, 0.7]])


def test_training_by_hand(student):
    """With p = 0.2, where u is 0.1 and 0.05 the number becomes 0, and the four others become 1.25 times as large"""
    expected = np.array([[2.5, 0.0, 7.5], [0.0, 12.5, 1.25]])
    assert_close(student.dropout(X, 0.2, U, True), expected, name="dropout(x, 0.2, u, True)")


def test_nothing_happens_at_test_time(student):
    """At test time x comes out as it went in"""
    assert_close(student.dropout(X, 0.2, U, False), X, name="dropout(x, 0.2, u, False)")


def test_nothing_happens_without_a_rate(student):
    """With p = 0 x comes out as it went in, in training too, even where u is 0"""
    u = np.array([0.0, 0.3, 0.9])
    assert_close(student.dropout(X[0], 0.0, u, True), X[0], name="dropout(x, 0, u, True)")


def test_gradient_by_hand(student):
    """The gradient of a dropped number is 0, that of a kept one is 1.25 times the upstream one; at test time it passes"""
    upstream = np.array([[1.0, 2.0, 3.0], [4.0, -8.0, 0.4]])

    yours = student.dropout_backward(upstream, 0.2, U, True)
    expected = np.array([[1.25, 0.0, 3.75], [0.0, -10.0, 0.5]])
    assert_close(yours, expected, name="dropout_backward(upstream, 0.2, u, True)")
    yours = student.dropout_backward(upstream, 0.2, U, False)
    assert_close(yours, upstream, name="dropout_backward(upstream, 0.2, u, False)")


def test_seeded(student):
    """Of 200 numbers dropout_seeded drops about a quarter with p = 0.25, and with another seed other ones"""
    x = np.full((10, 20), 3.0)
    first, other = (student.dropout_seeded(x, 0.25, seed) for seed in (5, 6))

    kept = first != 0
    assert_close(first, kept * 4.0, name="dropout_seeded(x, 0.25, 5)")  # 3 / 0.75
    # The share of 200 has a standard deviation of 0.031; five of them.
    assert_close(1 - kept.mean(), 0.25, rtol=0.0, atol=0.153, name="the share of dropped numbers")
    differs = bool((other != first).any())
    assert differs, "the seeds 5 and 6 drop the same numbers"


def test_classic_training_by_hand(student):
    """classic_dropout leaves what it keeps as it is in training"""
    expected = np.array([[2.0, 0.0, 6.0], [0.0, 10.0, 1.0]])
    assert_close(student.classic_dropout(X, 0.2, U, True), expected, name="classic_dropout(x, 0.2, u, True)")


def test_classic_at_test_time(student):
    """With p = 0.2 classic_dropout multiplies everything by 0.8 at test time"""
    expected = np.array([[1.6, 3.2, 4.8], [6.4, 8.0, 0.8]])
    assert_close(student.classic_dropout(X, 0.2, U, False), expected, name="classic_dropout(x, 0.2, u, False)")


def test_subnetworks_of_three_units(student):
    """Of three units dropout can leave 8 different networks over"""
    assert_equal(student.count_subnetworks(3), 8, name="count_subnetworks(3)")
