"""The median, how sure it is, and what that says about a threshold."""

import math

import numpy as np
import pytest

from nnkit.grader.kernels.statistics import decide, in_doubt, interval


@pytest.mark.parametrize(
    ("count", "place"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (25, 7), (49, 17)]
)
def test_interval_is_between_order_statistics(count, place):
    """Nine values: from the second to the eighth; the places are those of tables of the sign test"""
    values = list(np.random.default_rng(count).permutation(count))

    assert interval(values) == (place, count - 1 - place)


@pytest.mark.parametrize("count", [6, 9, 15, 25, 49])
def test_interval_holds_the_median_as_often_as_it_says(count):
    """The chance that it misses the median is at most 5 %, by the binomial distribution, and no wider one is used"""
    low, _ = interval(list(range(count)))

    def misses(place):
        return 2 * sum(math.comb(count, k) for k in range(place + 1)) / 2**count

    assert misses(low) <= 0.05
    assert misses(low + 1) > 0.05


def test_interval_of_skewed_values():
    """On values from a lognormal distribution it holds the true median in at least 95 % of 2000 trials, less 5 sigma"""
    rng = np.random.default_rng(3)
    held = [low <= 1.0 <= high for low, high in (interval(rng.lognormal(0, 1, 15)) for _ in range(2000))]

    assert np.mean(held) >= 0.95 - 5 * math.sqrt(0.05 * 0.95 / 2000)


def test_nothing_is_known_of_nothing():
    """Without values everything is possible"""
    assert interval([]) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0] * 9, "yes"), ([1.99] * 9, "yes"), ([2.2] * 9, "no"), ([2.05] * 9, "open"), ([1.9, 2.1] * 5, "open")],
)
def test_a_threshold_is_decided_by_the_whole_interval(values, expected):
    """Below 2: yes; wholly above 2.1: no; anything else needs more rounds"""
    assert decide(values, 2.0) == expected


def test_in_doubt_the_student_is_believed():
    """A median at most a tenth above the threshold passes when no more rounds are to be had"""
    assert in_doubt([2.19] * 3, 2.0)
    assert not in_doubt([2.21] * 3, 2.0)
