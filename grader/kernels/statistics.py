"""What many timings say: the median, how sure it is, and whether it is below a threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

CONFIDENCE = 0.95
CLEARLY_ABOVE = 1.05  # times the threshold: where the whole interval lies above it, the answer is no
IN_DOUBT = 1.10  # times the threshold: where no number of rounds decides, the median may lie so high

Decision = Literal["yes", "no", "open"]

__all__ = ["CLEARLY_ABOVE", "CONFIDENCE", "IN_DOUBT", "Decision", "decide", "in_doubt", "interval", "median"]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return an interval that holds the true median with a confidence of at least 95 %, from order statistics.

    It assumes nothing of the distribution: the number of values below the median is binomial. Fewer than six values
    cannot give 95 %; then the interval is from the smallest to the largest.
    """
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        return -math.inf, math.inf
    below, skipped = 0.0, 0  # chance that at most `skipped` of them lie below the median
    while skipped < count // 2:
        below += math.comb(count, skipped) / 2.0**count
        if 2.0 * below > 1.0 - CONFIDENCE:
            break
        skipped += 1
    first = max(skipped - 1, 0)
    return ordered[first], ordered[count - 1 - first]


def decide(values: Sequence[float], threshold: float) -> Decision:
    """Whether the median is at most the threshold, where the interval leaves no doubt."""
    low, high = interval(values)
    if high <= threshold:
        return "yes"
    return "no" if low > CLEARLY_ABOVE * threshold else "open"


def in_doubt(values: Sequence[float], threshold: float) -> bool:
    """What to say when no more rounds are to be had: a median that is hardly above the threshold is let pass."""
    return median(values) <= IN_DOUBT * threshold
