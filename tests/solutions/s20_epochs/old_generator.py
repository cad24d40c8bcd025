"""Another correct solution of section 20: an old-style generator of its own, starts of batches, dot products."""

import numpy as np


def iterations_per_epoch(n: int, batch_size: int, drop_last: bool = False) -> int:
    if n < 1:
        raise ValueError("n")
    if batch_size < 1:
        raise ValueError("batch_size")
    return len(range(0, n - batch_size + 1 if drop_last else n, batch_size))


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[np.ndarray]:
    count = iterations_per_epoch(n, batch_size, drop_last)
    order = np.arange(n, dtype=np.int64)
    np.random.RandomState([seed, epoch]).shuffle(order)
    starts = np.arange(count) * batch_size
    return [order[start : min(start + batch_size, n)] for start in starts]


def epoch_loss(batch_losses: list[float], batch_sizes: list[int]) -> float:
    if len(batch_sizes) < len(batch_losses) or len(batch_sizes) > len(batch_losses):
        raise ValueError("the length of batch_sizes is wrong")
    sizes = np.array(batch_sizes, dtype=np.float64)
    return np.dot(np.array(batch_losses), sizes / sizes.sum())


def position(step: int, n: int, batch_size: int, drop_last: bool = False) -> tuple[int, int]:
    if step < 0:
        raise ValueError("step")
    count = iterations_per_epoch(n, batch_size, drop_last)
    try:
        return divmod(step, count)
    except ZeroDivisionError:
        raise ValueError("batch_size is too large") from None
