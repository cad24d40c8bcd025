"""Section 12: sigmoid, its slope, its problems. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_calm, assert_close


def test_values_by_hand(student):
    """sigmoid of -2, 0 and 2 is 0.1192, 0.5 and 0.8808"""
    x = np.array([-2.0, 0.0, 2.0])

    # Four digits as printed, so half a unit of the fourth.
    assert_close(student.sigmoid(x), np.array([0.1192, 0.5, 0.8808]), rtol=0.0, atol=0.5e-4, name="sigmoid(x)")


def test_very_negative_input(student):
    """sigmoid of -1000 is 0 and of 1000 is 1, without a warning"""
    yours = student.sigmoid(np.array([-1000.0, 1000.0]))

    assert_calm(student.observed)
    assert_close(yours, np.array([0.0, 1.0]), name="sigmoid([-1000, 1000])")


def test_steepest_slope(student):
    """The slope is 0.25 in the middle, where the output is 0.5, and 0.09 where the output is 0.1 or 0.9"""
    assert_close(student.sigmoid_grad(np.array([0.5, 0.1, 0.9])), np.array([0.25, 0.09, 0.09]), name="sigmoid_grad(a)")


def test_logit_undoes_sigmoid(student):
    """logit(sigmoid(x)) gives x back"""
    x = np.array([[-3.0, -0.5, 0.0], [0.25, 1.0, 4.0]])

    # A rounding of a near 1 (1e-16) grows by 1 / slope (57 at x = 4): far below 1e-12.
    assert_close(student.logit(student.sigmoid(x)), x, rtol=0.0, atol=1e-12, name="logit(sigmoid(x))")


def test_logit_at_the_ends(student):
    """logit of 0, 0.5 and 1 is -inf, 0 and +inf, without a warning"""
    yours = student.logit(np.array([0.0, 0.5, 1.0]))

    assert_calm(student.observed)
    assert_close(yours, np.array([-np.inf, 0.0, np.inf]), atol=1e-15, name="logit([0, 0.5, 1])")


def test_saturated_share(student):
    """Of -10, -1, 0, 1 and 10 two are saturated: a share of 0.4"""
    assert_close(student.saturated_fraction(np.array([-10.0, -1.0, 0.0, 1.0, 10.0])), 0.4, name="saturated_fraction(x)")


def test_three_layers_by_hand(student):
    """Three sigmoids in a row, started at 0, pass on slopes of 0.25, 0.0588 and 0.0134"""
    # Four digits as printed, so half a unit of the fourth.
    expected = np.array([0.25, 0.0588, 0.0134])
    assert_close(student.chain_slopes(0.0, 3), expected, rtol=0.0, atol=0.5e-4, name="chain_slopes(0, 3)")
