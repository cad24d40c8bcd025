"""The hidden part of the benchmark's suite: eight cheap checks."""

import pytest

from nnkit.grader.compare import assert_close


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0,), (4, 4)])
def test_scaled(student, rng, shape):
    """scaled multiplies every entry"""
    x = rng.standard_normal(shape)

    assert_close(student.scaled(x, 2.5), 2.5 * x)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0,), (4, 4)])
def test_total(student, rng, shape):
    """total adds every entry up"""
    x = rng.standard_normal(shape)

    assert_close(student.total(x), x.sum(), atol=1e-12)
