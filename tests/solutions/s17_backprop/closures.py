"""Another correct solution of section 17: closures, users first by a count of users, recursion over layers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


class Value:
    def __init__(self, data: float):
        self.data = data
        self.grad = 0.0
        self._made_of = ()
        self._send = lambda arrived: ()  # what each of `_made_of` receives when this much arrives here

    @classmethod
    def _new(cls, data, made_of, send):
        value = cls(data)
        value._made_of, value._send = made_of, send
        return value

    def __add__(self, other: Value | float) -> Value:
        other = _wrap(other)
        return Value._new(self.data + other.data, (self, other), lambda arrived: (arrived, arrived))

    __radd__ = __add__

    def __neg__(self) -> Value:
        return Value._new(-self.data, (self,), lambda arrived: (-arrived,))

    def __sub__(self, other: Value | float) -> Value:
        return self + -_wrap(other)

    def __rsub__(self, other: float) -> Value:
        return -self + other

    def __mul__(self, other: Value | float) -> Value:
        other = _wrap(other)
        a, b = self.data, other.data
        return Value._new(a * b, (self, other), lambda arrived: (arrived * b, arrived * a))

    __rmul__ = __mul__

    def __truediv__(self, other: Value | float) -> Value:
        return self * _wrap(other) ** -1.0

    def __rtruediv__(self, other: float) -> Value:
        return self**-1.0 * other

    def __pow__(self, exponent: float) -> Value:
        if not isinstance(exponent, int | float):
            raise ValueError("the exponent must be a number")  # noqa: TRY004 - as everywhere in the course
        a = self.data
        return Value._new(a**exponent, (self,), lambda arrived: (arrived * exponent * a ** (exponent - 1),))

    def tanh(self) -> Value:
        t = math.tanh(self.data)
        return Value._new(t, (self,), lambda arrived: (arrived * (1 - t**2),))

    def relu(self) -> Value:
        on = self.data > 0
        return Value._new(self.data if on else 0.0, (self,), lambda arrived: (arrived if on else 0.0,))

    def exp(self) -> Value:
        e = math.exp(self.data)
        return Value._new(e, (self,), lambda arrived: (arrived * e,))

    def log(self) -> Value:
        if not self.data > 0:
            raise ValueError("log needs a positive number")
        a = self.data
        return Value._new(math.log(a), (self,), lambda arrived: (arrived / a,))

    def backward(self) -> None:
        users, found, todo = Counter(), {self}, [self]
        while todo:
            for parent in todo.pop()._made_of:
                users[parent] += 1
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        arrived, ready = Counter({self: 1.0}), [self]
        while ready:
            value = ready.pop()
            value.grad += arrived[value]
            for parent, part in zip(value._made_of, value._send(arrived[value]), strict=True):
                arrived[parent] += part
                users[parent] -= 1
                if not users[parent]:
                    ready.append(parent)


def _wrap(number):
    return number if isinstance(number, Value) else Value(number)


TWO = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}
ONE = {
    "-": lambda a: -a,
    "tanh": lambda a: a.tanh(),
    "relu": lambda a: a.relu(),
    "exp": lambda a: a.exp(),
    "log": lambda a: a.log(),
}


def run_program(
    steps: list[tuple], leaves: dict[str, float], roots: list[str] | None = None
) -> tuple[float, dict[str, float]]:
    """Run a computation on Values."""
    values = {name: Value(number) for name, number in leaves.items()}
    for name, *left, sign, right in steps:
        operands = [values[entry] if isinstance(entry, str) else entry for entry in (*left, right)]
        values[name] = (TWO if left else ONE)[sign](*operands)
    last = steps[-1][0]
    for root in roots or [last]:
        values[root].backward()
    return values[last].data, {name: value.grad for name, value in values.items()}


def _sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


FORWARD = {"identity": lambda z: z, "sigmoid": _sigmoid, "tanh": np.tanh, "relu": lambda z: np.where(z > 0, z, 0 * z)}
SLOPE = {  # from z
    "identity": lambda z: 1.0,
    "sigmoid": lambda z: _sigmoid(z) * _sigmoid(-z),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: z > 0,
}


def backprop(X: np.ndarray, y: np.ndarray, layers: Layers, activations: list[str], loss: str) -> dict:
    if len(layers) != len(activations) or any(name not in FORWARD for name in activations):
        raise ValueError("activations: one known name for every layer")
    if loss not in ("mse", "cce"):
        raise ValueError("the loss is mse or cce")
    width = X.shape[1]
    for W, b in layers:
        if W.shape[1] != width or b.shape != (len(W),):
            raise ValueError("the layers do not chain")
        width = len(W)
    if y.shape != ((len(X), width) if loss == "mse" else (len(X),)):
        raise ValueError("the shape of y is wrong")
    if loss == "cce" and not set(y.tolist()) <= set(range(width)):
        raise ValueError("y has labels without a class")
    value, grads, dX = _through(X, y, layers, activations, loss)
    return {"loss": value, "grads": grads, "dX": dX}


def _through(X, y, layers, activations, loss):
    if not layers:
        return *_measure(X, y, loss), None
    (W, b), name = layers[0], activations[0]
    z = np.dot(X, W.T) + b
    value, later, upstream = _through_rest(FORWARD[name](z), y, layers[1:], activations[1:], loss)
    delta = upstream * SLOPE[name](z)
    return value, [(np.dot(delta.T, X), np.sum(delta, axis=0)), *later], np.dot(delta, W)


def _through_rest(a, y, layers, activations, loss):
    if layers:
        return _through(a, y, layers, activations, loss)
    value, upstream = _measure(a, y, loss)
    return value, [], upstream


def _measure(out, y, loss):
    if loss == "mse":
        return np.mean((out - y) ** 2), (out - y) * (2 / out.size)
    log_p = out - np.logaddexp.reduce(out, axis=1, keepdims=True)
    hot = np.eye(out.shape[1], dtype=out.dtype)[y]
    return -(hot * log_p).sum() / len(y), (np.exp(log_p) - hot) / len(y)


def gradient_check(
    loss_and_grad: Callable[[list[np.ndarray]], tuple[float, list[np.ndarray]]],
    params: list[np.ndarray],
    h: float = 1e-5,
) -> float:
    if h <= 0:
        raise ValueError("h must be positive")
    claimed = loss_and_grad(params)[1]
    errors = []
    for p, g in zip(params, claimed, strict=True):
        flat = p.reshape(-1)  # a view: each entry is put back after its turn
        for k, a in enumerate(np.ravel(g)):
            before = flat[k]
            flat[k] = before + h
            above, _ = loss_and_grad(params)
            flat[k] = before - h
            below, _ = loss_and_grad(params)
            flat[k] = before
            n = (above - below) / h / 2
            errors.append(abs(a - n) / max(1e-8, abs(a) + abs(n)) if math.isfinite(a) else math.inf)
    return max(errors)


def sgd_update(layers: Layers, grads: Layers, lr: float) -> Layers:
    new = []
    for layer, grad in zip(layers, grads, strict=True):
        new.append(tuple(np.subtract(w, lr * g) for w, g in zip(layer, grad, strict=True)))
    return new
