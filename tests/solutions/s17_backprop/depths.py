"""Another correct solution of section 17: one table of operations, depths found by waves, biases as a last column of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]

TABLE = {  # value and slopes
    "add": lambda a, b: (a + b, 1.0, 1.0),
    "sub": lambda a, b: (a - b, 1.0, -1.0),
    "mul": lambda a, b: (a * b, b, a),
    "div": lambda a, b: (a / b, 1 / b, -a / (b * b)),
    "exp": lambda a: (math.exp(a), math.exp(a)),
    "log": lambda a: (math.log(a), 1 / a),
    "tanh": lambda a: (math.tanh(a), 1 - math.tanh(a) ** 2),
    "relu": lambda a: (a, 1.0) if a > 0 else (0.0, 0.0),
}


class Value:
    def __init__(self, data: float):
        self.data = data
        self.grad = 0.0
        self._edges = ()

    def __add__(self, other: Value | float) -> Value:
        return _apply("add", self, other)

    def __radd__(self, other: float) -> Value:
        return _apply("add", other, self)

    def __neg__(self) -> Value:
        return _apply("sub", 0, self)

    def __sub__(self, other: Value | float) -> Value:
        return _apply("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return _apply("sub", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return _apply("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return _apply("mul", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return _apply("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return _apply("div", other, self)

    def __pow__(self, exponent: float) -> Value:
        if isinstance(exponent, Value):
            raise ValueError("exponent: a plain number is needed")  # noqa: TRY004 - as everywhere in the course
        result = Value(math.pow(self.data, exponent))
        result._edges = ((self, exponent * math.pow(self.data, exponent - 1)),)
        return result

    def tanh(self) -> Value:
        return _apply("tanh", self)

    def relu(self) -> Value:
        return _apply("relu", self)

    def exp(self) -> Value:
        return _apply("exp", self)

    def log(self) -> Value:
        if self.data <= 0:
            raise ValueError("log of a number that is not positive")
        return _apply("log", self)

    def backward(self) -> None:
        # Depth: 0 for the root, and one more than the deepest user for everything else; found by waves.
        depth, wave = {self: 0}, {self: None}
        while wave:
            following = {}
            for value in wave:
                for parent, _ in value._edges:
                    if depth.get(parent, -1) <= depth[value]:
                        depth[parent] = depth[value] + 1
                        following[parent] = None
            wave = following
        arrived = dict.fromkeys(depth, 0.0)
        arrived[self] = 1.0
        for value in sorted(depth, key=depth.get):
            value.grad += arrived[value]
            for parent, slope in value._edges:
                arrived[parent] += arrived[value] * slope


def _apply(name, *operands):
    data, *slopes = TABLE[name](*(x.data if isinstance(x, Value) else x for x in operands))
    result = Value(data)
    result._edges = tuple((x, s) for x, s in zip(operands, slopes, strict=True) if isinstance(x, Value))
    return result


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


def _activate(name, z):
    """Return the output and the slope."""
    match name:
        case "identity":
            return z, np.ones_like(z)
        case "tanh":
            t = np.tanh(z)
            return t, 1 - t**2
        case "sigmoid":
            e = np.exp(-np.abs(z))
            a = np.where(z < 0, e, 1) / (1 + e)
            return a, e / (1 + e) ** 2
        case "relu":
            return z * (z > 0), np.heaviside(z, 0).astype(z.dtype)
    raise ValueError(f"{name} in activations is unknown")


def backprop(X: np.ndarray, y: np.ndarray, layers: Layers, activations: list[str], loss: str) -> dict:
    if not len(activations) == len(layers):
        raise ValueError(f"{len(layers)} layers need as many activations")
    tape, a = [], X
    for name, (W, b) in zip(activations, layers, strict=True):
        if W.shape[1] != a.shape[1] or b.ndim != 1 or b.shape[0] != W.shape[0]:
            raise ValueError("W or b of one of the layers has a wrong shape")
        with_ones = np.hstack([a, np.ones((len(a), 1), a.dtype)])
        table = np.hstack([W, b[:, None]])
        a, slope = _activate(name, with_ones @ table.T)
        tape.append((with_ones, table, slope))
    value, upstream = _start(a, y, loss)
    grads = []
    while tape:
        with_ones, table, slope = tape.pop()
        delta = slope * upstream
        both = delta.T @ with_ones
        grads.insert(0, (both[:, :-1].copy(), both[:, -1].copy()))
        upstream = (delta @ table)[:, :-1]
    return {"loss": value, "grads": grads, "dX": upstream.copy()}


def _start(out, y, loss):
    N, K = out.shape
    if loss == "mse":
        if np.shape(y) != (N, K):
            raise ValueError(f"y should be {N} by {K}")
        return np.square(out - y).sum() / (N * K), (out - y) * 2 / (N * K)
    if loss == "cce":
        if np.shape(y) != (N,) or not all(0 <= label < K for label in y):
            raise ValueError(f"y should be {N} labels below {K}")
        shifted = out - np.amax(out, axis=1, keepdims=True)
        sums = np.exp(shifted).sum(axis=1, keepdims=True)
        share = np.exp(shifted) / sums
        picked = (np.log(sums)[:, 0] - shifted[range(N), y]).mean()
        return picked, np.where(np.arange(K) == y[:, None], share - 1, share) / N
    raise ValueError(f"there is no loss {loss}")


def gradient_check(
    loss_and_grad: Callable[[list[np.ndarray]], tuple[float, list[np.ndarray]]],
    params: list[np.ndarray],
    h: float = 1e-5,
) -> float:
    if not h > 0:
        raise ValueError(f"h = {h} is no step")

    def loss_with(place, index, by):
        moved = [p.copy() for p in params]
        moved[place][index] = params[place][index] + by
        return loss_and_grad(moved)[0]

    _, grads = loss_and_grad([p.copy() for p in params])
    errors = [0.0]
    for place, grad in enumerate(grads):
        for index, a in np.ndenumerate(grad):
            n = (loss_with(place, index, h) - loss_with(place, index, -h)) / (h + h)
            errors.append(abs(a - n) / np.clip(abs(a) + abs(n), 1e-8, None))
    return float(np.array(errors).max())  # numpy's max keeps NaN


def sgd_update(layers: Layers, grads: Layers, lr: float) -> Layers:
    new = []
    for (W, b), (dW, db) in zip(layers, grads, strict=True):
        weights, biases = W.copy(), b.copy()
        weights -= lr * dW
        biases -= lr * db
        new.append((weights, biases))
    return new
