"""Section 20: epochs, batches and iterations. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_dtype, assert_equal


def test_iterations_by_hand(student):
    """60 000 images in batches of 64 make 938 iterations, and 937 when the last, smaller batch is dropped"""
    all_of_them, full_ones = (student.iterations_per_epoch(60_000, 64, drop_last=drop) for drop in (False, True))

    assert_equal(all_of_them, 938, name="iterations_per_epoch(60000, 64)")
    assert_equal(full_ones, 937, name="iterations_per_epoch(60000, 64, drop_last=True)")


def test_sizes_by_hand(student):
    """10 samples in batches of 4 make batches of 4, 4 and 2, which hold every index from 0 to 9 once"""
    batches = student.epoch_batches(10, 4, seed=1, epoch=0)

    assert_equal([len(batch) for batch in batches], [4, 4, 2], name="the list of batch sizes")
    assert_equal(sorted(int(i) for batch in batches for i in batch), list(range(10)), name="the sorted indices")
    assert_dtype(batches[0], np.int64, name="a batch")


def test_full_batches_by_hand(student):
    """10 samples in batches of 4 with drop_last make two batches of 4"""
    batches = student.epoch_batches(10, 4, seed=1, epoch=0, drop_last=True)

    assert_equal([len(batch) for batch in batches], [4, 4], name="the list of batch sizes")


def test_new_order_in_each_epoch(student):
    """Epochs 0 and 1 of 20 samples come in different orders"""
    first, second = (np.concatenate(student.epoch_batches(20, 6, seed=1, epoch=epoch)) for epoch in (0, 1))
    differs = bool((first != second).any())

    assert differs, "epochs 0 and 1 have the same order"


def test_loss_by_hand(student):
    """A loss of 2 over 64 samples and one of 8 over 32 make (2 * 64 + 8 * 32) / 96 = 4"""
    assert_close(student.epoch_loss([2.0, 8.0], [64, 32]), 4.0)


def test_position_by_hand(student):
    """With 938 iterations in an epoch, step 937 is the last of epoch 0 and step 938 the first of epoch 1"""
    assert_equal(student.position(937, 60_000, 64), (0, 937), name="position(937, 60000, 64)")
    assert_equal(student.position(938, 60_000, 64), (1, 0), name="position(938, 60000, 64)")
