"""One generic class with a rule as a function, memory in a dataclass, averages written as corrections of the old one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Slot:
    """Memory of one parameter."""

    steps: int
    mean: np.ndarray
    square: np.ndarray


def in_unit(name, *values):
    if any(not 0.0 <= value < 1.0 for value in values):
        raise ValueError(f"{name} outside [0, 1)")


class Rule:
    def __init__(self, lr):
        if not lr > 0.0:
            raise ValueError(f"lr={lr}")
        self.lr, self.slots = lr, {}

    def step(self, params, grads):
        params = {k: np.asarray(w) for k, w in params.items()}
        bad = [k for k, g in grads.items() if k not in params or params[k].shape != np.shape(g)]
        if bad:
            raise ValueError(f"grads do not fit: {', '.join(bad)}")
        return {k: self._one(k, self._real(w), grads.get(k)) for k, w in params.items()}

    @staticmethod
    def _real(w):
        return w.copy() if w.dtype in (np.float32, np.float64) else w.astype(np.float64)

    def _one(self, name, w, g):
        if g is None:
            return w
        slot = self.slots.get(name) or Slot(0, 0 * w, 0 * w)
        slot.steps += 1
        self.slots[name] = slot
        return np.asarray(self.rule(w, g, slot), dtype=w.dtype)

    def state(self):
        return [(k, s.steps, np.array(s.mean), np.array(s.square)) for k, s in self.slots.items()]

    def load_state(self, state):
        self.slots = {k: Slot(steps, np.array(mean), np.array(square)) for k, steps, mean, square in state}


class SGD(Rule):
    def __init__(self, lr, momentum=0.0, weight_decay=0.0):
        super().__init__(lr)
        in_unit("momentum", momentum)
        self.rule = lambda w, g, s: self._rule(w, g, s, momentum, weight_decay)

    def _rule(self, w, g, s, momentum, decay):
        s.mean = momentum * s.mean + g + decay * w
        return w - s.mean * self.lr


class RMSProp(Rule):
    def __init__(self, lr=0.01, alpha=0.99, eps=1e-8):
        super().__init__(lr)
        in_unit("alpha", alpha)
        self.alpha, self.eps = alpha, eps

    def rule(self, w, g, s):
        s.square = s.square + (1 - self.alpha) * (np.square(g) - s.square)
        return w - self.lr / (np.sqrt(s.square) + self.eps) * g


class Adam(Rule):
    decoupled = False

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(lr)
        in_unit("betas", *betas)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def rule(self, w, g, s):
        if self.decoupled:
            w = w - self.lr * self.weight_decay * w
        else:
            g = g + self.weight_decay * w
        b1, b2 = self.betas
        s.mean = s.mean + (1 - b1) * (g - s.mean)
        s.square = s.square + (1 - b2) * (g * g - s.square)
        mean, square = s.mean / (1 - b1**s.steps), s.square / (1 - b2**s.steps)
        return w - self.lr * mean / (square**0.5 + self.eps)


class AdamW(Adam):
    decoupled = True

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(lr, betas, eps, weight_decay)
