"""Section 20: epochs, batches and iterations, counted and cut."""

import numpy as np


def iterations_per_epoch(n: int, batch_size: int, drop_last: bool = False) -> int:
    """Return how many batches, and so updates, one epoch has."""
    if n < 1:
        raise ValueError(f"n is {n}; there must be a sample")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; a batch has at least one sample")
    return n // batch_size if drop_last else -(-n // batch_size)  # minus twice: // rounds down, this rounds up


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[np.ndarray]:
    """Return the batches of one epoch as arrays of indices, in a random order of all samples."""
    count = iterations_per_epoch(n, batch_size, drop_last)
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return [order[k * batch_size : (k + 1) * batch_size] for k in range(count)]


def epoch_loss(batch_losses: list[float], batch_sizes: list[int]) -> float:
    """Return the mean loss over all samples of an epoch."""
    if len(batch_losses) != len(batch_sizes):
        raise ValueError(f"there are {len(batch_sizes)} batch_sizes for {len(batch_losses)} losses")
    total = sum(loss * size for loss, size in zip(batch_losses, batch_sizes, strict=True))
    return total / sum(batch_sizes)


def position(step: int, n: int, batch_size: int, drop_last: bool = False) -> tuple[int, int]:
    """Return the epoch and the iteration within it to which a step of the training belongs."""
    if step < 0:
        raise ValueError(f"step is {step}; steps are counted from 0")
    count = iterations_per_epoch(n, batch_size, drop_last)
    if count == 0:
        raise ValueError(f"batch_size is {batch_size}: {n} samples make no full batch, so there is no step")
    return divmod(step, count)
