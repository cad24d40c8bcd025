"""Section 20: epochs, batches and iterations, counted and cut."""

import numpy as np


def iterations_per_epoch(n: int, batch_size: int, drop_last: bool = False) -> int:
    """Return how many batches, and so updates, one epoch has.

    Args:
        n: number of samples, 1 or more.
        batch_size: samples in a batch, 1 or more; it may be larger than n.
        drop_last: whether the last batch is left out when it is smaller than the others.

    Returns:
        An int; 0 if a batch that is not full is all there would be, and it is left out.

    Raises:
        ValueError: n or batch_size is less than 1; the text names the argument.

    Source: section 20, "Iterations per Epoch".
    """
    raise NotImplementedError("section 20: write iterations_per_epoch")


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[np.ndarray]:
    """Return the batches of one epoch as arrays of indices, in a random order of all samples.

    All batches have `batch_size` indices, but the last, which takes what is left, or is left out.

    Args:
        n: number of samples, 1 or more.
        batch_size: samples in a batch, 1 or more; it may be larger than n.
        seed: of the whole training, 0 or more.
        epoch: counted from 0. Each pair (seed, epoch) gives an order of its own, always the same one; also (0, 1) and
            (1, 0) differ, and (0, 0), (0, 1), (0, 2) all differ. Global random state stays untouched.
        drop_last: whether the last batch is left out when it is smaller than the others.

    Returns:
        A list of int64 arrays, each of shape (k,). Without drop_last every index from 0 to n - 1 occurs exactly once,
        with it no index occurs twice.

    Raises:
        ValueError: n or batch_size is less than 1; the text names the argument.

    Source: section 20, "Epoch" and "Batch Size".
    """
    raise NotImplementedError("section 20: write epoch_batches")


def epoch_loss(batch_losses: list[float], batch_sizes: list[int]) -> float:
    """Return the mean loss over all samples of an epoch.

    Args:
        batch_losses: for each batch the mean loss over its samples; at least one batch.
        batch_sizes: for each batch the number of its samples.

    Returns:
        A float; a sample of a small batch counts as much as one of a large batch.

    Raises:
        ValueError: the lists differ in length; the text names batch_sizes.

    Source: section 20; corrects the average in section 38.
    """
    raise NotImplementedError("section 20: write epoch_loss")


def position(step: int, n: int, batch_size: int, drop_last: bool = False) -> tuple[int, int]:
    """Return the epoch and the iteration within it to which a step of the training belongs.

    Everything is counted from 0: step 0 is iteration 0 of epoch 0.

    Args:
        step: number of updates done before this one, over all epochs.
        n: number of samples, 1 or more.
        batch_size: samples in a batch, 1 or more.
        drop_last: whether the last batch is left out when it is smaller than the others.

    Returns:
        (epoch, iteration), two ints.

    Raises:
        ValueError: step is negative, n or batch_size is less than 1, or batch_size is larger than n with drop_last, so
            that an epoch has no iteration; the text names the argument.

    Source: section 20, "Iteration".
    """
    raise NotImplementedError("section 20: write position")
