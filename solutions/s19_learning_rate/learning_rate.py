"""Section 19: the largest stable learning rate, a verdict on loss curves, schedules, and a search for a good rate."""

import math

import numpy as np


def max_stable_lr(H: np.ndarray) -> float:
    """Return the learning rate above which gradient descent leaves a bowl with this Hessian."""
    return 2 / float(np.linalg.eigvalsh(H)[-1])  # eigvalsh sorts: the last is the largest


def judge(losses: np.ndarray) -> str:
    """Say of a loss curve whether the learning rate was 'too high', 'too low' or 'just right'."""
    losses = np.asarray(losses, dtype=np.float64)
    first, last = losses[0], losses[-1]
    if not np.isfinite(losses).all() or last > first:
        return "too high"
    rises, steps = np.count_nonzero(losses[1:] > losses[:-1]), len(losses) - 1
    if rises > 0.3 * steps:  # a product, not a quotient: there may be no step at all
        return "too high"
    return "too low" if first - last < 0.1 * first else "just right"


def schedule(kind: str, t: int, base: float, **p: float) -> float:
    """Return the learning rate of step t."""
    if t < 0:
        raise ValueError(f"t is {t}; steps are counted from 0")
    if not base > 0:
        raise ValueError(f"base is {base}; it must be greater than 0")
    if kind == "constant":
        return float(base)
    if kind == "step":
        _check_factor(p["factor"])
        return base * p["factor"] ** (t // p["every"])
    if kind == "exponential":
        return base * p["decay"] ** t
    if kind == "cosine":
        return _half_a_cosine(t, p["total"], base, p["min_lr"])
    if kind == "warmup_cosine":
        warmup, total = p["warmup"], p["total"]
        if warmup > total:
            raise ValueError(f"warmup is {warmup}, more than the total of {total}")
        if t < warmup:
            return base * (t + 1) / (warmup + 1)
        return _half_a_cosine(t - warmup, total - warmup, base, p["min_lr"])
    raise ValueError(f"there is no kind {kind!r}")


class ReduceOnPlateau:
    """Lowers the learning rate when the loss has stopped falling."""

    def __init__(
        self, lr: float, factor: float = 0.1, patience: int = 2, min_delta: float = 0.0, min_lr: float = 0.0
    ) -> None:
        if not lr > 0:
            raise ValueError(f"lr is {lr}; it must be greater than 0")
        _check_factor(factor)
        self.lr, self.factor, self.patience, self.min_delta, self.min_lr = lr, factor, patience, min_delta, min_lr
        self.best, self.bad = math.inf, 0

    def step(self, loss: float) -> float:
        """Take the loss of one epoch into account and return the learning rate for the next one."""
        if loss < self.best - self.min_delta:  # false for NaN, which so counts as bad
            self.best, self.bad = loss, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.lr, self.bad = max(self.lr * self.factor, self.min_lr), 0
        return self.lr

    def state(self) -> dict[str, float]:
        """Return what is remembered between steps."""
        return {"lr": self.lr, "best": self.best, "bad": self.bad}

    def load_state(self, state: dict[str, float]) -> None:
        """Go on where the object stood that returned this state."""
        self.lr, self.best, self.bad = state["lr"], state["best"], state["bad"]


def lr_range_test(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return the learning rate at which the loss begins its steepest fall, on a logarithmic axis of rates."""
    lrs, losses = np.asarray(lrs, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    lowest = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    if lowest == 0:
        raise ValueError("losses never fall below the first of them")
    # Only up to the minimum: what falls behind it falls from a height to which the loss had exploded.
    slopes = np.diff(losses[: lowest + 1]) / np.diff(np.log(lrs[: lowest + 1]))
    return float(lrs[np.argmin(slopes)])


def _check_factor(factor: float) -> None:
    if not 0 < factor < 1:
        raise ValueError(f"factor is {factor}; it must lie between 0 and 1")


def _half_a_cosine(t: int, total: int, base: float, min_lr: float) -> float:
    if t >= total:  # also where total is 0
        return float(min_lr)
    return min_lr + 0.5 * (base - min_lr) * (1 + math.cos(math.pi * t / total))
