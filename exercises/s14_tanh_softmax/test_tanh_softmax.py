"""Section 14: tanh and softmax. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_calm, assert_close


def test_tanh_of_small_numbers(student):
    """tanh([-1, 0, 1]) is [-0.7616, 0, 0.7616]"""
    # (e - 1/e) / (e + 1/e) = 2.350402 / 3.086161
    assert_close(student.tanh(np.array([-1.0, 0.0, 1.0])), [-0.76159416, 0.0, 0.76159416], atol=1e-8)


def test_slope_of_tanh(student):
    """tanh_grad([-0.5, 0, 0.8]) is [0.75, 1, 0.36]"""
    assert_close(student.tanh_grad(np.array([-0.5, 0.0, 0.8])), [0.75, 1.0, 0.36])


def test_softmax_of_three_scores(student):
    """softmax([1, 2, 3]) is [0.0900, 0.2447, 0.6652]"""
    assert_close(student.softmax(np.array([1.0, 2.0, 3.0])), [0.09003057, 0.24472847, 0.66524096], atol=1e-8)


def test_every_row_sums_to_1(student):
    """each row of the softmax of a 3 by 3 batch sums to 1"""
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 5.0, 2.0]])
    p = student.softmax(x)

    # K terms of size 1 are rounded to 1e-16 each; 1e-12 leaves room for any order of adding.
    assert_close(p.sum(axis=1), [1.0, 1.0, 1.0], atol=1e-12, name="the sums of the rows")
    assert_close(p[1], [1 / 3, 1 / 3, 1 / 3], name="row 1")


def test_columns_when_axis_is_0(student):
    """axis=0 normalises every column"""
    x = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    expected = [[1 / 3, 0.09003057], [1 / 3, 0.24472847], [1 / 3, 0.66524096]]

    assert_close(student.softmax(x, axis=0), expected, atol=1e-8)


def test_large_scores_stay_finite(student):
    """softmax([1000, 1001]) is [0.2689, 0.7311], without an overflow"""
    p = student.softmax(np.array([1000.0, 1001.0]))

    assert_close(p, [0.26894142, 0.73105858], atol=1e-8)
    assert_calm(student.observed)


def test_temperature_2(student):
    """softmax([2, 4, 6], temperature=2) is softmax([1, 2, 3])"""
    p = student.softmax(np.array([2.0, 4.0, 6.0]), temperature=2.0)

    assert_close(p, [0.09003057, 0.24472847, 0.66524096], atol=1e-8)


def test_log_softmax_of_equal_scores(student):
    """log_softmax([5, 5]) is [-0.6931, -0.6931], the logarithm of one half"""
    assert_close(student.log_softmax(np.array([5.0, 5.0])), [-0.69314718, -0.69314718], atol=1e-8)


def test_gradient_through_softmax(student):
    """softmax_backward([0.2, 0.3, 0.5], [1, 0, 0]) is [0.16, -0.06, -0.1]"""
    p, upstream = np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 0.0])

    assert_close(student.softmax_backward(p, upstream), [0.16, -0.06, -0.1], atol=1e-12)
