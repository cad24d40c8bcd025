"""Another correct solution of section 20: loops, counting, and a shuffle by sorting random keys."""

import math

import numpy as np


def _check(n, batch_size):
    if n <= 0:
        raise ValueError("n must be positive")
    if batch_size <= 0:
        raise ValueError("batch_size must be positive")


def iterations_per_epoch(n: int, batch_size: int, drop_last: bool = False) -> int:
    _check(n, batch_size)
    return math.floor(n / batch_size) if drop_last else math.ceil(n / batch_size)


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[np.ndarray]:
    _check(n, batch_size)
    keys = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch)))).random(n)
    waiting, batches = np.argsort(keys), []
    while len(waiting) >= (batch_size if drop_last else 1):
        batches.append(waiting[:batch_size].copy())
        waiting = waiting[batch_size:]
    return batches


def epoch_loss(batch_losses: list[float], batch_sizes: list[int]) -> float:
    if len(batch_losses) != len(batch_sizes):
        raise ValueError("one of batch_sizes for each loss, please")
    total, samples = 0.0, 0
    for k in range(len(batch_losses)):
        total += batch_losses[k] * batch_sizes[k]
        samples += batch_sizes[k]
    return total / samples


def position(step: int, n: int, batch_size: int, drop_last: bool = False) -> tuple[int, int]:
    if step < 0:
        raise ValueError("step must not be negative")
    per_epoch = iterations_per_epoch(n, batch_size, drop_last)
    if not per_epoch:
        raise ValueError("batch_size: no batch is full")
    return step // per_epoch, step % per_epoch
