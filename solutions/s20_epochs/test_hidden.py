"""Section 20: epochs, batches and iterations. Hidden tests.

No order is compared with the reference's: a student may draw it with any generator.
"""

from itertools import permutations

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_close,
    assert_dtype,
    assert_equal,
    assert_leaves_random_state_alone,
    assert_refuses,
    assert_shape,
)


def seeds_from(rng, count=1):
    """Return different seeds for the student."""
    return [int(seed) for seed in rng.choice(2**31, count, replace=False)]


def indices(batches):
    """Return all indices of some batches as one list."""
    return [int(i) for batch in batches for i in batch]


def assert_counts(student, cases, expected, **options):
    """Hold the iterations of each case by itself; all of them are asked for before."""
    counts = [student.iterations_per_epoch(n, size, **options) for n, size in cases]
    said = "".join(f", {name}={value}" for name, value in options.items())
    for (n, size), yours, count in zip(cases, counts, expected, strict=True):
        assert_equal(yours, count, name=f"iterations_per_epoch({n}, {size}{said})")


@weight(3)
@number("20.H1")
def test_all_remainders(student, rng):
    """With every remainder, a last batch that is not full makes one more iteration, and there is none if all are full"""
    size = int(rng.integers(5, 9))
    cases = [(3 * size + rest, size) for rest in range(size)]

    assert_counts(student, cases, [3 + (rest > 0) for rest in range(size)])


@weight(2)
@number("20.H1")
def test_all_remainders_dropped(student, rng):
    """With drop_last only full batches count, whatever is left over"""
    size = int(rng.integers(5, 9))
    cases = [(3 * size + rest, size) for rest in range(size)]

    assert_counts(student, cases, [3] * size, drop_last=True)


@weight(1)
@number("20.H1")
def test_a_batch_larger_than_the_data(student, rng):
    """A batch size above n makes one iteration, and with drop_last none"""
    n = int(rng.integers(2, 9))
    cases = [(n, n + 1), (n, 10 * n), (1, 2)]

    assert_counts(student, cases, [1, 1, 1])
    assert_counts(student, cases, [0, 0, 0], drop_last=True)


@weight(2)
@number("20.H1")
def test_counting_by_taking_away(student, rng):
    """For random sizes the iterations are what one counts by taking batches away until nothing is left"""
    cases = [(int(n), int(size)) for n, size in zip(rng.integers(1, 300, 10), rng.integers(1, 60, 10), strict=True)]
    expected, full = [], []
    for n, size in cases:
        left, taken = n, 0
        while left > 0:
            left, taken = left - size, taken + 1
        expected.append(taken)
        full.append(taken - (left < 0))

    assert_counts(student, cases, expected)
    assert_counts(student, cases, full, drop_last=True)


SIZES = [(7, 3), (12, 5), (6, 3), (4, 9), (8, 8)]


@weight(3)
@number("20.H2")
def test_every_sample_once(student, rng):
    """Without drop_last an epoch holds every index from 0 to n - 1 exactly once"""
    for n, size in SIZES:
        batches = student.epoch_batches(n, size, seeds_from(rng)[0], int(rng.integers(9)))

        assert_equal(sorted(indices(batches)), list(range(n)), name=f"the sorted indices of {n} samples by {size}")


@weight(3)
@number("20.H2")
def test_sizes_of_batches(student, rng):
    """All batches are full but the last, which takes what is left"""
    for n, size in SIZES:
        batches = student.epoch_batches(n, size, seeds_from(rng)[0], int(rng.integers(9)))

        wanted = [size] * (n // size) + [n % size] * (n % size > 0)
        assert_equal([len(batch) for batch in batches], wanted, name=f"the sizes of the batches of {n} by {size}")


@weight(1)
@number("20.H2")
def test_as_many_batches_as_iterations(student, rng):
    """An epoch has as many batches as iterations_per_epoch counts, also when all of them are full"""
    for n, size in [(6, 3), (1, 1), (5, 1)]:
        count = student.iterations_per_epoch(n, size)
        batches = student.epoch_batches(n, size, seeds_from(rng)[0], 1)

        assert_equal(count, n // size, name=f"the iterations of {n} samples by {size}")
        assert_equal(len(batches), count, name=f"the number of batches of {n} samples by {size}")


@weight(2)
@number("20.H2")
def test_only_full_batches(student, rng):
    """With drop_last all batches are full, no index occurs twice, and an epoch without a full batch is empty"""
    for n, size in SIZES:
        batches = student.epoch_batches(n, size, seeds_from(rng)[0], int(rng.integers(9)), drop_last=True)

        sizes = [len(batch) for batch in batches]
        assert_equal(sizes, [size] * (n // size), name=f"the sizes of the batches of {n} by {size} with drop_last")
        found = set(indices(batches))
        assert len(found) == n // size * size, f"Of {n} samples by {size}, some came twice in an epoch."
        assert found <= set(range(n)), f"There are indices outside of 0 to {n - 1}."


@weight(2)
@number("20.H2")
def test_other_samples_are_dropped(student, rng):
    """With drop_last it is not always the same sample that is left out"""
    seed = seeds_from(rng)[0]
    left_out = {frozenset(range(9)) - set(indices(student.epoch_batches(9, 4, seed, e, True))) for e in range(12)}

    # All 12 epochs leave out the same one of 9 samples by chance once in 9**11 = 3e10 times.
    assert len(left_out) > 1, "the same sample is left out in each of 12 epochs"


@weight(2)
@number("20.H3")
def test_epochs_differ(student, rng):
    """The epochs 0 to 3 of one training have four different orders, and none of them is 0, 1, 2, ..., n - 1"""
    # 30 samples have 2.7e32 orders: two are never the same by chance. Seed 0 is a seed like any other.
    for seed in (0, *seeds_from(rng)):
        orders = [indices(student.epoch_batches(30, 7, seed, epoch)) for epoch in range(4)]

        assert list(range(30)) not in orders, "the samples come in the order of their numbers"
        assert len(set(map(tuple, orders))) == 4, f"two of the epochs 0 to 3 have the same order (seed {seed})"


@weight(2)
@number("20.H3")
def test_seeds_differ(student, rng):
    """Two seeds give different orders in the same epoch"""
    first, second = (indices(student.epoch_batches(30, 7, seed, 3)) for seed in seeds_from(rng, 2))

    assert first != second, "two seeds give the same order"


@weight(1)
@number("20.H3")
def test_no_pair_repeats_another(student, rng):
    """Seed 5 in epoch 1, seed 6 in epoch 0 and seed 1 in epoch 5 have different orders: every pair has its own"""
    base = int(rng.integers(3, 1000))
    pairs = [(base, 1), (base + 1, 0), (1, base), (0, base + 1)]
    orders = [tuple(indices(student.epoch_batches(30, 7, seed, epoch))) for seed, epoch in pairs]

    assert len(set(orders)) == 4, f"two of the pairs (seed, epoch) {pairs} have the same order"


@weight(2)
@number("20.H3")
def test_the_same_pair_gives_the_same_order(student, rng):
    """The same seed and epoch give the same batches again, whatever was asked in between"""
    seed, other = seeds_from(rng, 2)
    first = student.epoch_batches(12, 5, seed, 2)
    for asked in [(seed, 0), (other, 2)]:
        student.epoch_batches(12, 5, *asked)

    assert_equal(student.epoch_batches(12, 5, seed, 2), first, name="the batches of the same seed and epoch")


@weight(1)
@number("20.H3")
def test_global_state(student, rng):
    """The global random state is left alone"""
    batches = student.epoch_batches(12, 5, seeds_from(rng)[0], 1)

    assert_leaves_random_state_alone(student.observed)
    assert_equal(sorted(indices(batches)), list(range(12)), name="the sorted indices")


@weight(2)
@number("20.H8")
def test_any_order_is_possible(student, rng):
    """In 90 epochs of three samples each of the six orders occurs"""
    seed = seeds_from(rng)[0]
    orders = {tuple(indices(student.epoch_batches(3, 3, seed, epoch))) for epoch in range(90)}

    # One of the six orders is missing by chance with a probability of 6 * (5 / 6)**90 = 4e-7.
    missing = set(permutations(range(3))) - orders
    assert not missing, f"the orders {sorted(missing)} never occur"


@weight(2)
@number("20.H3")
def test_batches_are_composed_anew(student, rng):
    """Batches are cut from a shuffled order: the same samples do not always meet"""
    seed = seeds_from(rng)[0]
    epochs = {frozenset(frozenset(b.tolist()) for b in student.epoch_batches(12, 4, seed, e)) for e in range(4)}

    # 12 samples can be divided into three groups of 4 in 5775 ways; four epochs agree once in 1.9e11 times.
    assert len(epochs) > 1, "in each of 4 epochs the same samples form a batch"


@weight(3)
@number("20.H4")
def test_loss_over_all_samples_at_once(student, rng):
    """From the means of unequal batches epoch_loss finds the mean over all samples"""
    for sizes in ([5, 5, 2], [7, 1], [64, 64, 64, 31], [3]):
        losses = np.split(rng.uniform(0.1, 5, sum(sizes)), np.cumsum(sizes)[:-1])
        means = [float(part.mean()) for part in losses]

        # A mean of at most 223 numbers: rounded by less than 1e-13 of it.
        yours = student.epoch_loss(means, sizes)
        assert_close(yours, np.concatenate(losses).mean(), rtol=1e-12, name=f"the loss with the sizes {sizes}")


@weight(1)
@number("20.H4")
def test_equal_batches(student, rng):
    """With batches of equal size the loss is the plain mean of the batch losses"""
    losses = rng.uniform(0.1, 5, 6).tolist()

    assert_close(student.epoch_loss(losses, [8] * 6), np.mean(losses), rtol=1e-12)


@weight(1)
@number("20.H4")
def test_order_of_batches(student, rng):
    """The loss stays the same when the batches come in another order, the small one first"""
    losses, sizes = rng.uniform(0.1, 5, 4), [9, 9, 9, 2]
    expected = float(losses @ sizes) / 29

    for order in ([3, 1, 0, 2], [0, 3, 2, 1]):
        yours = student.epoch_loss([float(losses[k]) for k in order], [sizes[k] for k in order])
        assert_close(yours, expected, rtol=1e-12)


@weight(3)
@number("20.H5")
def test_position_inverts_counting(student, rng):
    """epoch * iterations + iteration is the step again, and the iteration lies within its epoch"""
    for n, size, drop in [(50, 8, False), (50, 8, True), (48, 8, False), (60_000, 64, False), (3, 10, False)]:
        per_epoch = n // size if drop else -(-n // size)
        steps = [per_epoch, per_epoch - 1, 0, *rng.integers(0, 40 * per_epoch, 3).tolist()]

        yours = [student.position(step, n, size, drop_last=drop) for step in steps]
        expected = [(step // per_epoch, step % per_epoch) for step in steps]
        for step, mine, theirs in zip(steps, yours, expected, strict=True):
            assert_equal(mine, theirs, name=f"position({step}, {n}, {size}, drop_last={drop})")


@weight(2)
@number("20.H5")
def test_position_along_a_training(student, rng):
    """Counted along three epochs, every step has the position of its batch, with and without drop_last"""
    n, size, seed = 11, 4, seeds_from(rng)[0]
    for drop in (False, True):
        walked = [
            (epoch, k) for epoch in range(3) for k in range(len(student.epoch_batches(n, size, seed, epoch, drop)))
        ]
        yours = [student.position(step, n, size, drop) for step in range(len(walked))]

        for step, (mine, theirs) in enumerate(zip(yours, walked, strict=True)):
            assert_equal(mine, theirs, name=f"position({step}, {n}, {size}, drop_last={drop})")
        assert_equal(len(walked), 6 if drop else 9, name="the number of batches in three epochs")


@weight(1)
@number("20.H5")
def test_position_without_iterations(student, rng):
    """position refuses a batch size above n with drop_last: there is no iteration at all"""
    n = int(rng.integers(3, 9))

    count = student.iterations_per_epoch(n, n + 1, drop_last=True)
    assert_equal(count, 0, name=f"the iterations of {n} samples by {n + 1} with drop_last")
    assert_equal(
        student.position(3, 2 * n + 1, n, drop_last=True), (1, 1), name=f"position(3, {2 * n + 1}, {n}, drop_last=True)"
    )
    assert_refuses(student.position, 0, n, n + 1, drop_last=True, naming="batch_size")
    assert_refuses(student.position, 5, n, 3 * n, drop_last=True, naming="batch_size")


@weight(1)
@number("20.H6")
def test_batches_are_int64_arrays(student, rng):
    """Batches come in a list, each as a one-dimensional array of int64"""
    for n, size in [(7, 3), (6, 3), (4, 1)]:
        batches = student.epoch_batches(n, size, seeds_from(rng)[0], 1)

        assert type(batches) is list, f"epoch_batches returns a list, not a {type(batches).__name__}"
        for k, batch in enumerate(batches):
            assert_dtype(batch, np.int64, name=f"batch {k}")
            assert_shape(batch, (min(size, n - k * size),), name=f"batch {k}")


@weight(1)
@number("20.H6")
def test_lists_stay(student, rng):
    """epoch_loss leaves its two lists as they are"""
    losses, sizes = rng.uniform(0.1, 5, 3).tolist(), [4, 4, 2]
    expected = (4 * losses[0] + 4 * losses[1] + 2 * losses[2]) / 10

    assert_close(student.epoch_loss(losses, sizes), expected, rtol=1e-12)
    assert not student.observed.changed, "epoch_loss changed one of its lists"


@weight(2)
@number("20.H9")
def test_speed(student, speed, rng):
    """Cutting 300 000 samples into batches takes at most twelve times the reference's time"""

    def run(module, seed):
        batches = module.epoch_batches(300_000, 3000, seed, 2)
        return [len(batch) for batch in batches], int(sum(np.sum(batch) for batch in batches))  # alike in all orders

    # Sorting random keys takes 6 times as long and is fine; shuffling a Python list takes 37 times.
    speed.at_most(12, run, lambda: seeds_from(rng))


@weight(1)
@number("20.H7")
def test_bad_sizes(student, rng):
    """Fewer than one sample, or than one in a batch, is refused by name"""
    bad = -int(rng.integers(1, 9))
    for n, size, naming in [(0, 4, "n"), (bad, 4, "n"), (9, 0, "batch_size"), (9, bad, "batch_size")]:
        for drop in (True, False):
            assert_refuses(student.iterations_per_epoch, n, size, drop, naming=naming)


@weight(1)
@number("20.H7")
def test_bad_sizes_of_batches(student, rng):
    """epoch_batches refuses fewer than one sample, or than one in a batch, by name"""
    bad = -int(rng.integers(1, 9))
    for n, size, naming in [(0, 4, "n"), (bad, 4, "n"), (9, 0, "batch_size"), (9, bad, "batch_size")]:
        assert_refuses(student.epoch_batches, n, size, 1, 0, naming=naming)


@weight(1)
@number("20.H7")
def test_bad_steps(student, rng):
    """position refuses a negative step, and what iterations_per_epoch refuses"""
    bad = -int(rng.integers(1, 9))
    for step, n, size, naming in [(bad, 9, 4, "step"), (3, 0, 4, "n"), (3, 9, 0, "batch_size")]:
        assert_refuses(student.position, step, n, size, naming=naming)


@weight(1)
@number("20.H7")
def test_bad_lists(student, rng):
    """epoch_loss refuses lists of different length, whichever is longer"""
    losses = rng.uniform(0.1, 5, 3).tolist()
    for sizes in ([4, 4], [4, 4, 4, 2], []):
        assert_refuses(student.epoch_loss, losses, sizes, naming="batch_sizes")
