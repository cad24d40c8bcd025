"""Section 26: SGD with momentum, RMSProp, Adam and AdamW."""

import numpy as np


class Optimizer:
    """What the four have in common: one memory per parameter, checks, copies. A subclass says how a weight moves."""

    buffers: tuple[str, ...] = ()  # the running averages that the subclass keeps, each shaped like its parameter

    def __init__(self, lr: float):
        if not lr > 0:
            raise ValueError(f"lr must be greater than 0, not {lr}")
        self.lr = lr
        self._memory: dict[str, dict] = {}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the moved parameters as new arrays and remember what the next step needs."""
        weights = {name: _floating(w) for name, w in params.items()}
        for name, g in grads.items():  # check all before anything is remembered: a refused step leaves no trace
            if name not in weights:
                raise ValueError(f"grads has {name!r}, params has not")
            if np.shape(g) != weights[name].shape:
                raise ValueError(f"grads[{name!r}] has shape {np.shape(g)}, its parameter {weights[name].shape}")
        moved = {}
        for name, w in weights.items():
            if name in grads:
                g = np.asarray(grads[name], dtype=w.dtype)
                if name not in self._memory:
                    self._memory[name] = {"t": 0, **{key: np.zeros_like(w) for key in self.buffers}}
                moved[name] = self._move(w, g, self._memory[name])
            else:
                moved[name] = w.copy()
        return moved

    def _move(self, w: np.ndarray, g: np.ndarray, memory: dict) -> np.ndarray:
        raise NotImplementedError

    def state(self) -> dict:
        """Return the memory as plain data."""
        return _copied(self._memory)

    def load_state(self, state: dict) -> None:
        """Forget everything and go on from `state`."""
        self._memory = _copied(state)


class SGD(Optimizer):
    """Gradient descent with momentum (Polyak 1964)."""

    buffers = ("v",)

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0):
        super().__init__(lr)
        self.momentum = _fraction("momentum", momentum)
        self.weight_decay = weight_decay

    def _move(self, w: np.ndarray, g: np.ndarray, memory: dict) -> np.ndarray:
        g = g + self.weight_decay * w
        memory["v"] = self.momentum * memory["v"] + g  # collects gradients, not steps: lr may change at any time
        return w - self.lr * memory["v"]


class RMSProp(Optimizer):
    """Divide by the root of a moving average of squared gradients (Hinton 2012)."""

    buffers = ("v",)

    def __init__(self, lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8):
        super().__init__(lr)
        self.alpha = _fraction("alpha", alpha)
        self.eps = eps

    def _move(self, w: np.ndarray, g: np.ndarray, memory: dict) -> np.ndarray:
        memory["v"] = self.alpha * memory["v"] + (1 - self.alpha) * g * g
        return w - self.lr * g / (np.sqrt(memory["v"]) + self.eps)


class Adam(Optimizer):
    """Momentum and RMSProp together, both averages corrected for their start at 0 (Kingma and Ba 2015)."""

    buffers = ("m", "v")

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(lr)
        self.betas = tuple(_fraction("betas", beta) for beta in betas)
        self.eps = eps
        self.weight_decay = weight_decay

    def _move(self, w: np.ndarray, g: np.ndarray, memory: dict) -> np.ndarray:
        return w - self._adapted(g + self.weight_decay * w, memory)

    def _adapted(self, g: np.ndarray, memory: dict) -> np.ndarray:
        beta1, beta2 = self.betas
        memory["t"] += 1
        memory["m"] = beta1 * memory["m"] + (1 - beta1) * g
        memory["v"] = beta2 * memory["v"] + (1 - beta2) * g * g
        # After t steps the weights of an average add up to 1 - beta**t. Dividing makes it a true average;
        # the raw one stays in memory.
        m = memory["m"] / (1 - beta1 ** memory["t"])
        v = memory["v"] / (1 - beta2 ** memory["t"])
        return self.lr * m / (np.sqrt(v) + self.eps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(lr, betas, eps, weight_decay)

    def _move(self, w: np.ndarray, g: np.ndarray, memory: dict) -> np.ndarray:
        return (1 - self.lr * self.weight_decay) * w - self._adapted(g, memory)  # the averages never see the decay


def _floating(w: np.ndarray) -> np.ndarray:
    w = np.asarray(w)
    return w if np.issubdtype(w.dtype, np.floating) else w.astype(np.float64)


def _fraction(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, not {value}")
    return value


def _copied(memory: dict) -> dict:
    return {
        name: {key: np.copy(value) if key != "t" else value for key, value in slots.items()}
        for name, slots in memory.items()
    }
