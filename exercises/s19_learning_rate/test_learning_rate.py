"""Section 19: learning rate. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal


def test_stable_rate_by_hand(student):
    """A bowl with curvatures 1 and 10 allows learning rates up to 2 / 10 = 0.2"""
    assert_close(student.max_stable_lr(np.diag([1.0, 10.0])), 0.2)


def test_three_verdicts(student):
    """4, 6, 9 was too high, 4, 3.9, 3.8 too low, and 4, 2, 1 just right"""
    for losses, verdict in [([4, 6, 9], "too high"), ([4, 3.9, 3.8], "too low"), ([4, 2, 1], "just right")]:
        assert_equal(student.judge(np.array(losses, dtype=float)), verdict, name=f"judge({losses})")


def test_staircase_by_hand(student):
    """With base 0.8, factor 0.5 and every 10, step 9 has rate 0.8, step 10 has 0.4 and step 20 has 0.2"""
    for t, rate in [(9, 0.8), (10, 0.4), (20, 0.2)]:
        assert_close(student.schedule("step", t, 0.8, every=10, factor=0.5), rate, name=f"the rate of step {t}")


def test_cosine_by_hand(student):
    """A cosine from 1 down to 0.2 in 10 steps has rate 1 at the start, 0.6 half-way, and 0.2 at the end and later"""
    for t, rate in [(0, 1.0), (5, 0.6), (10, 0.2), (15, 0.2)]:
        assert_close(student.schedule("cosine", t, 1.0, total=10, min_lr=0.2), rate, name=f"the rate of step {t}")


def test_warmup_by_hand(student):
    """A warmup of 4 steps towards 1 has the rates 0.2, 0.4, 0.6, 0.8, and 1 in step 4"""
    for t in range(5):
        rate = student.schedule("warmup_cosine", t, 1.0, warmup=4, total=12, min_lr=0.0)
        assert_close(rate, 0.2 * (t + 1), name=f"the rate of step {t}")


def test_plateau_by_hand(student):
    """With patience 1 and factor 0.5, the losses 5, 4, 4, 6 give the rates 1, 1, 1 and then 0.5"""
    plateau = student.ReduceOnPlateau(1.0, factor=0.5, patience=1)

    for loss, rate in [(5.0, 1.0), (4.0, 1.0), (4.0, 1.0), (6.0, 0.5)]:
        assert_close(plateau.step(loss), rate, name=f"the rate after the loss {loss}")


def test_range_test_by_hand(student):
    """Of 9, 8, 4, 3, 7, measured at 0.001, 0.01, 0.1, 1 and 10, the steepest fall begins at 0.01"""
    lrs, losses = np.array([0.001, 0.01, 0.1, 1.0, 10.0]), np.array([9.0, 8.0, 4.0, 3.0, 7.0])

    assert_close(student.lr_range_test(lrs, losses), 0.01)
