"""Another correct solution of section 17: numbers of birth for the order, layers as objects, everything in one vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]
_births = count()


class Value:
    def __init__(self, data: float):
        self.data = data
        self.grad = 0.0
        self._birth = next(_births)  # a result is younger than what it was made from
        self._slopes: list[tuple[Value, float]] = []

    def _then(self, data, slope):
        result = Value(data)
        result._slopes = [(self, slope)]
        return result

    def __add__(self, other: Value | float) -> Value:
        if not isinstance(other, Value):
            return self._then(self.data + other, 1)
        result = Value(self.data + other.data)
        result._slopes = [(self, 1), (other, 1)]
        return result

    def __radd__(self, other: float) -> Value:
        return self + other

    def __neg__(self) -> Value:
        return self._then(-self.data, -1)

    def __sub__(self, other: Value | float) -> Value:
        return self + (-other)

    def __rsub__(self, other: float) -> Value:
        return self._then(other - self.data, -1)

    def __mul__(self, other: Value | float) -> Value:
        if not isinstance(other, Value):
            return self._then(self.data * other, other)
        result = Value(self.data * other.data)
        result._slopes = [(self, other.data), (other, self.data)]
        return result

    def __rmul__(self, other: float) -> Value:
        return self._then(other * self.data, other)

    def __truediv__(self, other: Value | float) -> Value:
        if not isinstance(other, Value):
            return self._then(self.data / other, 1 / other)
        return self * (1 / other)

    def __rtruediv__(self, other: float) -> Value:
        quotient = other / self.data
        return self._then(quotient, -quotient / self.data)

    def __pow__(self, exponent: float) -> Value:
        if isinstance(exponent, Value):
            raise ValueError("a Value cannot be an exponent")  # noqa: TRY004 - as everywhere in the course
        power = self.data ** (exponent - 1)
        return self._then(power * self.data, exponent * power)

    def tanh(self) -> Value:
        slope = 1 / math.cosh(self.data) ** 2
        return self._then(math.tanh(self.data), slope)

    def relu(self) -> Value:
        return self * (self.data > 0)

    def exp(self) -> Value:
        return self._then(math.exp(self.data), math.exp(self.data))

    def log(self) -> Value:
        try:
            return self._then(math.log(self.data), 1 / self.data)
        except ValueError:
            raise ValueError(f"log({self.data}) does not exist") from None

    def backward(self) -> None:
        arrived, queue = {self: 1.0}, [(-self._birth, self)]
        while queue:  # the youngest first: all its users are younger still, and done
            _, value = heappop(queue)
            value.grad += arrived[value]
            for parent, slope in value._slopes:
                if parent not in arrived:
                    arrived[parent] = 0.0
                    heappush(queue, (-parent._birth, parent))
                arrived[parent] += slope * arrived[value]


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


class _Layer:
    def __init__(self, W, b, name):
        self.W, self.b, self.name = W, b, name

    def forward(self, X):
        self.X = X
        z = np.einsum("nd,od->no", X, self.W) + self.b
        if self.name == "tanh":
            self.a = np.tanh(z)
        elif self.name == "sigmoid":
            self.a = (np.tanh(z / 2) + 1) / 2
        else:
            self.a = np.maximum(z, 0) if self.name == "relu" else z
        return self.a

    def backward(self, upstream):
        if self.name == "tanh":
            upstream = upstream * (1 - self.a) * (1 + self.a)
        elif self.name == "sigmoid":
            upstream = upstream * self.a - upstream * self.a**2
        elif self.name == "relu":
            upstream = np.where(self.a > 0, upstream, 0)
        self.gradient = np.einsum("no,nd->od", upstream, self.X), np.einsum("no->o", upstream)
        return np.einsum("no,od->nd", upstream, self.W)


def backprop(X: np.ndarray, y: np.ndarray, layers: Layers, activations: list[str], loss: str) -> dict:
    if loss not in {"mse", "cce"}:
        raise ValueError(f"unknown loss {loss}")
    if len(activations) != len(layers):
        raise ValueError("wrong number of activations")
    chain, widths = [], [X.shape[1]]
    for (W, b), name in zip(layers, activations, strict=True):
        if name not in {"identity", "tanh", "sigmoid", "relu"}:
            raise ValueError(f"activations: {name} is unknown")
        if W.shape != (b.size, widths[-1]) or b.ndim != 1:
            raise ValueError("layers: shapes do not go together")
        widths.append(b.size)
        chain.append(_Layer(W, b, name))
    a = X
    for layer in chain:
        a = layer.forward(a)
    value, upstream = (_squares if loss == "mse" else _classes)(a, y)
    for layer in reversed(chain):
        upstream = layer.backward(upstream)
    return {"dX": upstream, "grads": [layer.gradient for layer in chain], "loss": value}


def _squares(a, y):
    if a.shape != y.shape:
        raise ValueError("y needs the shape of the output")
    e = (a - y).ravel()
    return float(e @ e) / e.size, (2 / e.size * e).reshape(a.shape)


def _classes(a, y):
    if y.shape != a.shape[:1] or np.any(y < 0) or np.any(y >= a.shape[1]):
        raise ValueError("y needs one label for each sample")
    p = np.exp(a - a.max(axis=1)[:, None])
    p /= p.sum(axis=1)[:, None]
    losses = [np.logaddexp.reduce(row) - row[label] for row, label in zip(a, y, strict=True)]
    for row, label in zip(p, y, strict=True):
        row[label] -= 1
    return sum(map(float, losses)) / len(y), p / len(y)


def gradient_check(
    loss_and_grad: Callable[[list[np.ndarray]], tuple[float, list[np.ndarray]]],
    params: list[np.ndarray],
    h: float = 1e-5,
) -> float:
    if not h > 0:
        raise ValueError("the step h must be above 0")
    cuts = np.cumsum([p.size for p in params])[:-1]

    def unpack(vector):
        return [piece.reshape(p.shape) for piece, p in zip(np.split(vector, cuts), params, strict=True)]

    at = np.concatenate([np.ravel(p) for p in params])
    a = np.concatenate([np.ravel(g) for g in loss_and_grad(params)[1]])
    steps = h * np.eye(at.size)
    n = np.array([(loss_and_grad(unpack(at + s))[0] - loss_and_grad(unpack(at - s))[0]) / (2 * h) for s in steps])
    with np.errstate(invalid="ignore"):
        return np.max(np.abs(a - n) / np.maximum(1e-8, np.abs(a) + np.abs(n)))


def sgd_update(layers: Layers, grads: Layers, lr: float) -> Layers:
    return [(-lr * dW + W, -lr * db + b) for (W, b), (dW, db) in zip(layers, grads, strict=True)]
