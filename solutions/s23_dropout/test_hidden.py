"""Section 23: dropout. Hidden tests.

Inputs are mostly positive: x * mask and np.where differ in the sign of the zeros that they make of negative numbers,
which is no difference to anybody but the diagnosis. No mask of dropout_seeded is compared with the reference's.
"""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    Mismatch,
    assert_close,
    assert_dtype,
    assert_equal,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
)

# One product and one division: a few roundings of 1e-16.
EXACT = 1e-12
SHAPES = [(4, 4), (2, 3, 5), (), (0,)]


def positive(rng, *shape):
    """Numbers from 0.5 to 2."""
    return rng.uniform(0.5, 2, shape)


def rate(rng):
    """A probability to drop that is far from 0, from a half, and from that to keep."""
    return float(rng.uniform(0.15, 0.35))


def uniforms(rng, *shape):
    """Numbers from [0, 1), evenly spread and in random order, so that of ten some are dropped and some kept."""
    count = int(np.prod(shape))
    return rng.permutation((np.arange(count) + rng.random(count)) / max(count, 1)).reshape(shape)


def inverted(x, p, u):
    """What dropout gives in training."""
    return np.where(u < p, 0.0, x / (1 - p))


def kept_by(yours, x, p):
    """Hold that dropout_seeded has dropped each number or divided it by 1 - p, and return which it has kept."""
    assert_shape(yours, x.shape, name="dropout_seeded(x, p, seed)")
    kept = yours != 0
    assert_close(yours, kept * x / (1 - p), rtol=EXACT, name="dropout_seeded(x, p, seed)")
    return kept


def seed_from(rng):
    """Return a seed for the student."""
    return int(rng.integers(1, 2**31))


# dropout


@weight(4)
@number("23.H1")
def test_training(student, rng):
    """In training dropout sets to 0 where u < p and divides the others by 1 - p"""
    x, u, p = positive(rng, 5, 8), uniforms(rng, 5, 8), rate(rng)

    assert_close(student.dropout(x, p, u, True), inverted(x, p, u), rtol=EXACT, name="dropout(x, p, u, True)")


@weight(2)
@number("23.H1")
def test_any_shape_and_rate(student, rng):
    """dropout takes any shape, small and large p, and numbers of either sign"""
    for shape, (low, high) in zip(SHAPES, [(0.6, 0.9), (0.02, 0.1), (0.3, 0.7), (0.1, 0.9)], strict=True):
        x, u, p = np.array(rng.normal(0, 2, shape)), np.array(uniforms(rng, *shape)), float(rng.uniform(low, high))
        assert_close(student.dropout(x, p, u, True), inverted(x, p, u), rtol=EXACT, name=f"dropout of shape {shape}")


@weight(1)
@number("23.H1")
def test_boundary(student, rng):
    """Where u is exactly p the number is kept, and where it is the smallest bit less, dropped"""
    p = rate(rng)
    u = rng.permutation([p, np.nextafter(p, 0), np.nextafter(p, 1), p, np.nextafter(p, 0)])
    x = positive(rng, 5)

    assert_close(student.dropout(x, p, u, True), inverted(x, p, u), rtol=EXACT, name="dropout(x, p, u, True)")


@weight(2)
@number("23.H1")
def test_test_time(student, rng):
    """At test time dropout returns x, whatever u is"""
    x, u = positive(rng, 3, 7), uniforms(rng, 3, 7)

    assert_close(student.dropout(x, rate(rng), u, False), x, rtol=0.0, name="dropout(x, p, u, False)")


@weight(1)
@number("23.H1")
def test_rate_zero(student, rng):
    """With p = 0 nothing is dropped in training, also not where u is 0"""
    x, u = positive(rng, 9), uniforms(rng, 9)
    u[rng.integers(9)] = 0.0

    assert_close(student.dropout(x, 0.0, u, True), x, rtol=0.0, name="dropout(x, 0, u, True)")


# dropout_backward


@weight(3)
@number("23.H2")
def test_gradient_against_differences(student, rng):
    """dropout_backward is what central differences of dropout with the same u find"""
    x, upstream, u, p = positive(rng, 3, 5), positive(rng, 3, 5), uniforms(rng, 3, 5), rate(rng)

    yours = student.dropout_backward(upstream, p, u, True)
    assert_gradient(yours, lambda at: inverted(at, p, u), x, upstream, name="dropout_backward(upstream, p, u, True)")


@weight(3)
@number("23.H2")
def test_gradient_exactly(student, rng):
    """For any shape and rate, dropped numbers get no gradient and kept ones, u exactly p too, upstream / (1 - p)"""
    for shape, (low, high) in [((4, 4), (0.15, 0.35)), ((2, 3, 5), (0.6, 0.9))]:
        upstream, u, p = positive(rng, *shape), uniforms(rng, *shape), float(rng.uniform(low, high))
        if shape != (4, 4):
            upstream *= rng.choice([-1.0, 1.0], shape)
        u.reshape(-1)[rng.integers(u.size)] = p
        yours = student.dropout_backward(upstream, p, u, True)
        assert_close(yours, inverted(upstream, p, u), rtol=EXACT, name=f"dropout_backward of shape {shape}")


@weight(2)
@number("23.H2")
def test_gradient_at_test_time(student, rng):
    """At test time the gradient passes as it is"""
    upstream, u = positive(rng, 3, 7), uniforms(rng, 3, 7)

    yours = student.dropout_backward(upstream, rate(rng), u, False)
    assert_close(yours, upstream, rtol=0.0, name="dropout_backward(upstream, p, u, False)")


# dropout_seeded


@weight(2)
@number("23.H3")
def test_survivors(student, rng):
    """dropout_seeded sets each number to 0 or divides it by 1 - p"""
    x, p = positive(rng, 8, 8), rate(rng)

    kept = kept_by(student.dropout_seeded(x, p, seed_from(rng)), x, p)
    # All 64 are dropped by chance with a probability of 0.35**64, which is never.
    assert kept.any(), "none of 64 numbers was kept"


@weight(3)
@number("23.H3")
def test_share_and_mean(student, rng):
    """Of 12 000 numbers dropout_seeded drops the share p, and on average the results are the inputs"""
    x, p = positive(rng, 120, 100), rate(rng)

    yours = student.dropout_seeded(x, p, seed_from(rng))
    assert_shape(yours, x.shape, name="dropout_seeded(x, p, seed)")
    # Standard deviation of a share: sqrt(p (1 - p) / n); of a mean of 0 and 1 / (1 - p): sqrt(p / (1 - p) / n). Five.
    band = 5 * np.sqrt(p * (1 - p) / x.size)
    assert_close((yours == 0).mean(), p, rtol=0.0, atol=band, name="the share of dropped numbers")
    assert_close((yours / x).mean(), 1.0, rtol=0.0, atol=band / (1 - p), name="the mean of result / x")


@weight(3)
@number("23.H3")
def test_every_number_has_its_own_chance(student, rng):
    """No two rows, columns or layers of an array have the same mask"""
    for shape in ((60, 50), (9, 12, 10)):
        x, p = positive(rng, *shape), float(rng.uniform(0.3, 0.4))
        kept = kept_by(student.dropout_seeded(x, p, seed_from(rng)), x, p)

        # Two masks of 50 agree by chance with a probability of 0.58**50 = 1.5e-12, and there are 3000 pairs of them.
        for axis, length in enumerate(shape):
            masks = {mask.tobytes() for mask in np.moveaxis(kept, axis, 0)}
            assert len(masks) == length, f"along axis {axis} of shape {shape} some masks are the same"


@weight(2)
@number("23.H4")
def test_rows_lose_what_chance_takes(student, rng):
    """dropout drops where u is less than p, be it all of a row or nothing of it, and always divides by the same 1 - p"""
    x, p = positive(rng, 3, 6), rate(rng)
    u = rng.uniform(p, 1, (3, 6))
    lost = rng.permutation(3)[:2]
    u[lost] = rng.uniform(0, p, (2, 6))

    assert_close(student.dropout(x, p, u, True), inverted(x, p, u), rtol=EXACT, name="dropout(x, p, u, True)")


@weight(2)
@number("23.H4")
def test_counts_are_binomial(student, rng):
    """How many of a row, and of a column, dropout_seeded drops varies as the throws of a coin do"""
    x, p = positive(rng, 200, 150).astype(np.float32), rate(rng)

    yours = student.dropout_seeded(x, p, seed_from(rng))
    assert_shape(yours, x.shape, name="dropout_seeded(x, p, seed)")
    dropped = yours == 0
    # K throws have the variance K p (1 - p). The variance of 150 such counts, divided by it, is as good as a chi-square
    # by its 149 degrees of freedom, which is below 0.524, or above 1.689, with a probability of 3e-7 each.
    for axis, name in ((1, "rows"), (0, "columns")):
        ratio = dropped.sum(axis=axis).var(ddof=1) / (x.shape[axis] * p * (1 - p))
        assert ratio > 0.52, f"the numbers dropped in different {name} are too much alike for chance"
        assert ratio < 1.7, f"the numbers dropped in different {name} vary more than by chance"


@weight(1)
@number("23.H4")
def test_total_is_not_fixed(student, rng):
    """With four seeds dropout_seeded does not drop exactly the same number of 8000"""
    x, p, first = positive(rng, 8000).astype(np.float32), float(rng.uniform(0.25, 0.35)), seed_from(rng)
    totals = {int(np.sum(student.dropout_seeded(x, p, first + k) == 0)) for k in range(4)}

    # Two totals with standard deviations of 39 or more agree with a probability of 1 / (2 sqrt(pi) 39) = 0.007, four with
    # less than 0.007**3 = 4e-7.
    assert len(totals) > 1, "with four seeds the number of dropped entries is exactly the same"


@weight(2)
@number("23.H5")
def test_seeds(student, rng):
    """The same seed drops the same numbers again, seed 0 like any other, and another one drops others"""
    x, p, seed = positive(rng, 20, 15), float(rng.uniform(0.25, 0.35)), seed_from(rng)

    zero, other, again = (student.dropout_seeded(x, p, each) for each in (0, seed, 0))
    assert_equal(again, zero, name="the result of seed 0 the second time")
    # 300 masks agree by chance with a probability of 0.63**300.
    assert (zero != other).any(), "two seeds drop the same numbers"


@weight(1)
@number("23.H5")
def test_global_state(student, rng):
    """dropout_seeded leaves the global random state alone"""
    x, p = positive(rng, 4, 3), rate(rng)
    yours = student.dropout_seeded(x, p, seed_from(rng))

    assert_leaves_random_state_alone(student.observed)
    kept_by(yours, x, p)


@weight(1)
@number("23.H5")
@pytest.mark.parametrize("name", ["dropout", "dropout_backward", "classic_dropout"])
def test_inputs_stay(student, rng, name):
    """Every result is a new array, also with p = 0 and at test time, where nothing is dropped"""
    x, u = positive(rng, 3, 4), uniforms(rng, 3, 4)
    for p, training in ((0.0, True), (rate(rng), False)):
        yours = getattr(student, name)(x, p, u, training)
        assert_leaves_inputs_alone(student.observed)
        assert_shape(yours, x.shape, name=f"{name}(x, p, u, {training})")


@weight(1)
@number("23.H5")
def test_seeded_input_stays(student, rng):
    """dropout_seeded returns a new array, with p = 0 too"""
    x = positive(rng, 3, 4)

    yours = student.dropout_seeded(x, 0.0, seed_from(rng))
    assert_leaves_inputs_alone(student.observed)
    assert_close(yours, x, rtol=0.0, name="dropout_seeded(x, 0, seed)")


# classic_dropout, and both together


@weight(2)
@number("23.H6")
def test_classic_training(student, rng):
    """In training classic_dropout only sets to 0 where u < p, for any shape, and keeps where u is exactly p"""
    for shape in ((4, 4), (2, 3, 5)):
        x, u, p = positive(rng, *shape), uniforms(rng, *shape), rate(rng)
        u.reshape(-1)[rng.integers(u.size)] = p
        yours = student.classic_dropout(x, p, u, True)
        assert_close(yours, np.where(u < p, 0.0, x), rtol=EXACT, name=f"classic_dropout of shape {shape}")


@weight(2)
@number("23.H6")
def test_classic_test_time(student, rng):
    """At test time classic_dropout multiplies everything by 1 - p, whatever u is"""
    x, u, p = positive(rng, 3, 7), uniforms(rng, 3, 7), rate(rng)

    yours = student.classic_dropout(x, p, u, False)
    assert_close(yours, x * (1 - p), rtol=EXACT, name="classic_dropout(x, p, u, False)")


@weight(1)
@number("23.H6")
def test_one_is_the_other_scaled(student, rng):
    """In training classic_dropout divided by 1 - p is dropout"""
    x, u, p = positive(rng, 6, 7), uniforms(rng, 6, 7), float(rng.uniform(0.6, 0.9))

    classic, yours = student.classic_dropout(x, p, u, True), student.dropout(x, p, u, True)
    assert_close(np.divide(classic, 1 - p), yours, rtol=EXACT, name="classic_dropout(x, p, u, True) / (1 - p)")


@weight(2)
@number("23.H6")
@pytest.mark.parametrize("name", ["dropout", "classic_dropout"])
def test_training_on_average_is_test_time(student, rng, name):
    """The mean over all masks in training is what comes out at test time"""
    count, value = 40, float(rng.uniform(0.5, 2))
    p = int(rng.integers(8, 15)) / count
    # Instead of many masks, one number many times: of 40 evenly spread u exactly 40 p are less than p.
    x, u = np.full(count, value), rng.permutation((np.arange(count) + 0.5) / count)

    train, test = (getattr(student, name)(x, p, u, training) for training in (True, False))
    expected = value if name == "dropout" else value * (1 - p)
    assert_close(np.mean(train), expected, rtol=EXACT, name=f"the mean of {name} in training")
    assert_close(test, np.full(count, expected), rtol=EXACT, name=f"{name} at test time")


# Kinds of numbers, bad input, counting


@weight(1)
@number("23.H7")
@pytest.mark.parametrize("name", ["dropout", "dropout_backward", "classic_dropout", "dropout_seeded"])
def test_float32_stays(student, rng, name):
    """float32 gives float32, also with a u of float64"""
    x, p = positive(rng, 4, 3).astype(np.float32), rate(rng)
    if name == "dropout_seeded":
        assert_dtype(student.dropout_seeded(x, p, seed_from(rng)), np.float32, name="dropout_seeded(x, p, seed)")
        return
    u = uniforms(rng, 4, 3)
    yours = getattr(student, name)(x, p, u, True)
    assert_dtype(yours, np.float32, name=f"{name} in training")
    expected = np.where(u < p, 0.0, x) if name == "classic_dropout" else inverted(x, p, u)
    assert_close(yours, expected, atol=float32_atol(1, 4), name=f"{name} in training")
    yours = getattr(student, name)(x, p, u, False)
    assert_dtype(yours, np.float32, name=f"{name} at test time")


@weight(1)
@number("23.H7")
@pytest.mark.parametrize("name", ["dropout", "classic_dropout"])
def test_whole_numbers_become_float64(student, rng, name):
    """Ints and bools give float64, in training and at test time"""
    p = rate(rng)
    for x, training in ((rng.integers(1, 9, 12), True), (rng.integers(1, 9, 12) > 4, False)):
        u = uniforms(rng, 12)
        yours = getattr(student, name)(x, p, u, training)
        assert_dtype(yours, np.float64, name=f"{name}(x, p, u, {training})")
        if name == "dropout":
            expected = inverted(x, p, u) if training else x.astype(np.float64)
        else:
            expected = np.where(u < p, 0.0, x) if training else x * (1 - p)
        assert_close(yours, expected, rtol=EXACT, name=f"{name}(x, p, u, {training})")


def refusals(calls):
    """Make all calls, each with what it has to name, and then raise the first failure: the others tell mistakes apart."""
    failures = []
    for naming, call, arguments in calls:
        try:
            assert_refuses(call, *arguments, naming=naming)
        except Mismatch as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@weight(1)
@number("23.H8")
@pytest.mark.parametrize("name", ["dropout", "dropout_backward", "classic_dropout"])
def test_bad_input(student, rng, name):
    """p below 0 or of 1 or more, and a u of another shape, are refused by name, at test time too"""
    x, u, p, call = positive(rng, 3, 4), uniforms(rng, 3, 4), rate(rng), getattr(student, name)

    cases = [("p", call, (x, -1e-9, u, True)), ("p", call, (x, 1.0, u, False))]
    cases.append(("u", call, (x, p, uniforms(rng, 4), True)))  # numpy could stretch it
    if name == "dropout":
        cases.append(("u", call, (x, p, uniforms(rng, 2, 6), False)))  # as many numbers as x has
    refusals(cases)


@weight(1)
@number("23.H8")
def test_bad_rates_seeded(student, rng):
    """dropout_seeded refuses a p below 0, or of 1 or more, by name"""
    x = positive(rng, 3, 4)

    refusals([("p", student.dropout_seeded, (x, p, seed_from(rng))) for p in (-1e-9, 1.0)])


@weight(2)
@number("23.H9")
def test_subnetworks(student, rng):
    """n units make 2**n networks: an exact int, for 100 and more units too"""
    for n in (int(rng.integers(5, 12)), int(rng.integers(100, 200))):
        assert_equal(student.count_subnetworks(n), 2**n, name=f"count_subnetworks({n})")
