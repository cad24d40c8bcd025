"""Another correct solution of section 19: loops and lists, power iteration, schedules as small functions in a dict."""

import math
from itertools import pairwise

import numpy as np


def max_stable_lr(H: np.ndarray) -> float:
    w = np.linspace(1.0, 2.0, len(H))
    for _ in range(3000):
        w = H @ w
        w /= np.linalg.norm(w)
    return float(2 / (w @ H @ w))


def judge(losses: np.ndarray) -> str:
    losses = losses.tolist()
    if any(math.isnan(loss) or math.isinf(loss) for loss in losses):
        return "too high"
    rises = 0
    for before, after in pairwise(losses):
        if after > before:
            rises += 1
    if losses[-1] > losses[0] or 10 * rises > 3 * (len(losses) - 1):
        return "too high"
    if losses[-1] > 0.9 * losses[0]:
        return "too low"
    return "just right"


def _cosine(t, base, total, min_lr):
    return min_lr + (base - min_lr) * math.cos(math.pi / 2 * min(t / total, 1)) ** 2


def _warmup(t, base, warmup, total, min_lr):
    if warmup > total:
        raise ValueError("warmup must not exceed total")
    if t < warmup:
        return base / (warmup + 1) * (t + 1)
    return min_lr if t >= total else _cosine(t - warmup, base, total - warmup, min_lr)


def _step(t, base, every, factor):
    if factor <= 0 or factor >= 1:
        raise ValueError("factor must lie strictly between 0 and 1")
    while t >= every:
        t, base = t - every, base * factor
    return base


KINDS = {
    "constant": lambda t, base: base,
    "step": _step,
    "exponential": lambda t, base, decay: base * math.exp(t * math.log(decay)),
    "cosine": _cosine,
    "warmup_cosine": _warmup,
}


def schedule(kind: str, t: int, base: float, **p: float) -> float:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    if t < 0:
        raise ValueError("t must not be negative")
    if base <= 0:
        raise ValueError("base must be positive")
    return KINDS[kind](t, base, **p)


class ReduceOnPlateau:
    def __init__(
        self, lr: float, factor: float = 0.1, patience: int = 2, min_delta: float = 0.0, min_lr: float = 0.0
    ) -> None:
        if lr <= 0:
            raise ValueError("lr must be positive")
        if factor <= 0 or factor >= 1:
            raise ValueError("factor must lie strictly between 0 and 1")
        self.options = factor, patience, min_delta, min_lr
        self.memory = {"lr": lr, "best": float("inf"), "bad": 0}

    def step(self, loss: float) -> float:
        factor, patience, min_delta, min_lr = self.options
        if self.memory["best"] - loss > min_delta:
            self.memory |= {"best": loss, "bad": 0}
            return self.memory["lr"]
        self.memory["bad"] += 1
        if self.memory["bad"] == patience + 1:
            self.memory |= {"lr": max(min_lr, factor * self.memory["lr"]), "bad": 0}
        return self.memory["lr"]

    def state(self) -> dict[str, float]:
        return dict(self.memory)

    def load_state(self, state: dict[str, float]) -> None:
        self.memory = dict(state)


def lr_range_test(lrs: np.ndarray, losses: np.ndarray) -> float:
    lowest = 0
    for k, loss in enumerate(losses):
        if math.isfinite(loss) and loss < losses[lowest]:
            lowest = k
    if lowest == 0:
        raise ValueError("losses only rise")
    return float(
        min((float(losses[k + 1] - losses[k]) / math.log(lrs[k + 1] / lrs[k]), float(lrs[k])) for k in range(lowest))[1]
    )
