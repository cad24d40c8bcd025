"""Another correct solution of section 20: epoch e is the permutation number e of the seed's one generator; np.split cuts."""

import numpy as np


def _iterations(n, batch_size, drop_last):
    if n < 1:
        raise ValueError(f"n={n}")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}")
    full, rest = divmod(n, batch_size)
    return full + (rest > 0 and not drop_last)


def iterations_per_epoch(n: int, batch_size: int, drop_last: bool = False) -> int:
    return int(_iterations(n, batch_size, drop_last))


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[np.ndarray]:
    count = _iterations(n, batch_size, drop_last)
    generator = np.random.default_rng(seed)
    for _ in range(epoch + 1):
        order = generator.permutation(n)
    return np.split(order, range(batch_size, n, batch_size))[:count]


def epoch_loss(batch_losses: list[float], batch_sizes: list[int]) -> float:
    if np.shape(batch_losses) != np.shape(batch_sizes):
        raise ValueError("batch_sizes: another number than losses")
    return float(np.average(batch_losses, weights=batch_sizes))


def position(step: int, n: int, batch_size: int, drop_last: bool = False) -> tuple[int, int]:
    if step < 0:
        raise ValueError(f"step={step}")
    count = _iterations(n, batch_size, drop_last)
    if count < 1:
        raise ValueError(f"batch_size={batch_size} and drop_last leave no iteration")
    epoch = int(step // count)
    return epoch, int(step - epoch * count)
