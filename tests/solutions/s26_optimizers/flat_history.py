"""Arrays are worked on flat, and the weight of an average's start is a running product instead of a count of steps."""

import copy

import numpy as np


def common(cls):
    def step(self, params, grads):
        unknown = grads.keys() - params.keys()
        if unknown:
            raise ValueError(f"grads for {sorted(unknown)}, which are not in params")
        for name, g in grads.items():
            if np.asarray(g).shape != np.asarray(params[name]).shape:
                raise ValueError(f"shape of grads for {name}")
        result = {}
        for name in params:
            w = np.array(params[name], copy=True)
            if w.dtype.kind != "f":
                w = w.astype("float64")
            if name in grads:
                flat = w.ravel()
                one = self.memory.setdefault(name, {})
                w = self.move(flat, np.ravel(grads[name]), one).astype(w.dtype).reshape(w.shape)
            result[name] = w
        return result

    def state(self):
        return copy.deepcopy(self.memory)

    def load_state(self, state):
        self.memory = copy.deepcopy(state)

    cls.step, cls.state, cls.load_state = step, state, load_state
    return cls


def require(lr, **fractions):
    if not lr > 0:
        raise ValueError("lr")
    for name, value in fractions.items():
        if np.min(value) < 0 or np.max(value) >= 1:
            raise ValueError(f"bad {name}")


@common
class SGD:
    def __init__(self, lr, momentum=0.0, weight_decay=0.0):
        require(lr, momentum=momentum)
        self.lr, self.momentum, self.weight_decay, self.memory = lr, momentum, weight_decay, {}

    def move(self, w, g, one):
        one["v"] = one.get("v", 0 * g) * self.momentum + g + self.weight_decay * w
        return w - self.lr * one["v"]


@common
class RMSProp:
    def __init__(self, lr=0.01, alpha=0.99, eps=1e-8):
        require(lr, alpha=alpha)
        self.lr, self.alpha, self.eps, self.memory = lr, alpha, eps, {}

    def move(self, w, g, one):
        one["v"] = np.average([one.get("v", 0 * g), g * g], axis=0, weights=[self.alpha, 1 - self.alpha])
        return w - self.lr * g / (np.sqrt(one["v"]) + self.eps)


@common
class Adam:
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        require(lr, betas=betas)
        self.lr, self.betas, self.eps, self.weight_decay, self.memory = lr, list(betas), eps, weight_decay, {}

    def before(self, w, g):
        return w, g + self.weight_decay * w

    def move(self, w, g, one):
        w, g = self.before(w, g)
        averages = []
        for key, beta, value in [("m", self.betas[0], g), ("v", self.betas[1], g * g)]:
            old, rest = one.get(key, (0 * g, 1.0))
            one[key] = [beta * old + (1 - beta) * value, beta * rest]
            averages.append(one[key][0] / (1 - one[key][1]))
        return w - self.lr * averages[0] / (np.sqrt(averages[1]) + self.eps)


class AdamW(Adam):
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(lr, betas, eps, weight_decay)

    def before(self, w, g):
        return w - w * self.lr * self.weight_decay, g
