"""Four classes without a common base, buffers by kind, updated in place, in torch's order of operations."""

import math

import numpy as np


def checked(params, grads):
    arrays = {}
    for name in params:
        array = np.array(params[name])
        arrays[name] = array.astype(float) if array.dtype.kind in "biu" else array
    for name in grads:
        if name not in arrays:
            raise ValueError(f"grads: unknown name {name}")
        if np.asarray(grads[name]).shape != arrays[name].shape:
            raise ValueError(f"grads: {name} has a wrong shape")
    return arrays


def positive(lr):
    if lr <= 0:
        raise ValueError("lr must be positive")
    return lr


class SGD:
    def __init__(self, lr, momentum=0.0, weight_decay=0.0):
        if momentum < 0 or momentum >= 1:
            raise ValueError("momentum must be in [0, 1)")
        self.lr, self.mu, self.wd = positive(lr), momentum, weight_decay
        self.velocity = {}

    def step(self, params, grads):
        out = checked(params, grads)
        for name in grads:
            w = out[name]
            d = grads[name] + self.wd * w if self.wd else np.array(grads[name], dtype=w.dtype)
            if self.mu:
                if name in self.velocity:
                    self.velocity[name] = self.velocity[name] * self.mu + d
                else:
                    self.velocity[name] = d
                d = self.velocity[name]
            out[name] = w - self.lr * d
        return out

    def state(self):
        return {"velocity": {name: v.copy() for name, v in self.velocity.items()}}

    def load_state(self, state):
        self.velocity = {name: np.array(v) for name, v in state["velocity"].items()}


class RMSProp:
    def __init__(self, lr=0.01, alpha=0.99, eps=1e-8):
        if alpha < 0 or alpha >= 1:
            raise ValueError("alpha must be in [0, 1)")
        self.lr, self.alpha, self.eps = positive(lr), alpha, eps
        self.square = {}

    def step(self, params, grads):
        out = checked(params, grads)
        for name in grads:
            w, g = out[name], np.asarray(grads[name])
            square = self.square.setdefault(name, np.zeros(w.shape, w.dtype))
            square *= self.alpha
            square += (1 - self.alpha) * g**2
            w -= self.lr * (g / (np.sqrt(square) + self.eps))
        return out

    def state(self):
        return {name: v.copy() for name, v in self.square.items()}

    def load_state(self, state):
        self.square = {name: v.copy() for name, v in state.items()}


class Adam:
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        for beta in betas:
            if beta < 0 or beta >= 1:
                raise ValueError("betas must be in [0, 1)")
        self.lr, self.betas, self.eps, self.wd = positive(lr), betas, eps, weight_decay
        self.m, self.v, self.t = {}, {}, {}

    def step(self, params, grads):
        out = checked(params, grads)
        b1, b2 = self.betas
        for name in grads:
            w, g = out[name], grads[name] + self.wd * out[name]
            if name not in self.m:
                self.m[name], self.v[name], self.t[name] = np.zeros_like(w), np.zeros_like(w), 0
            self.t[name] += 1
            m, v, t = self.m[name], self.v[name], self.t[name]
            m *= b1
            m += (1 - b1) * g
            v *= b2
            v += (1 - b2) * g**2
            root = np.sqrt(v) / math.sqrt(1 - b2**t) + self.eps
            w -= self.lr / (1 - b1**t) * (m / root)
        return out

    def state(self):
        copies = [{name: np.copy(a) for name, a in part.items()} for part in (self.m, self.v)]
        return {"m": copies[0], "v": copies[1], "t": dict(self.t)}

    def load_state(self, state):
        self.m = {name: np.array(a) for name, a in state["m"].items()}
        self.v = {name: np.array(a) for name, a in state["v"].items()}
        self.t = dict(state["t"])


class AdamW:
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.inner, self.wd = Adam(lr, betas, eps), weight_decay
        self.lr = lr

    def step(self, params, grads):
        checked(params, grads)
        shrunk = {}
        for name, w in params.items():
            shrunk[name] = w - self.lr * self.wd * w if name in grads else w
        self.inner.lr = self.lr
        return self.inner.step(shrunk, grads)

    def state(self):
        return self.inner.state()

    def load_state(self, state):
        self.inner.load_state(state)
