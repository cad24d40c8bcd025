"""Section 17: backpropagation, once for single numbers and once for whole layers, and a check of any gradient."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


class Value:
    """A number that remembers which numbers it was computed from, and with what slopes."""

    def __init__(self, data: float):
        self.data = float(data)
        self.grad = 0.0
        self._parents: tuple[tuple[Value, float], ...] = ()  # what it was made from: (value, d self / d value)

    def __add__(self, other: Value | float) -> Value:
        other = _as_value(other)
        return _made(self.data + other.data, (self, 1.0), (other, 1.0))

    def __radd__(self, other: float) -> Value:
        return self + other

    def __neg__(self) -> Value:
        return _made(-self.data, (self, -1.0))

    def __sub__(self, other: Value | float) -> Value:
        other = _as_value(other)
        return _made(self.data - other.data, (self, 1.0), (other, -1.0))

    def __rsub__(self, other: float) -> Value:
        return _as_value(other) - self

    def __mul__(self, other: Value | float) -> Value:
        other = _as_value(other)
        return _made(self.data * other.data, (self, other.data), (other, self.data))

    def __rmul__(self, other: float) -> Value:
        return self * other

    def __truediv__(self, other: Value | float) -> Value:
        other = _as_value(other)
        return _made(self.data / other.data, (self, 1 / other.data), (other, -self.data / other.data**2))

    def __rtruediv__(self, other: float) -> Value:
        return _as_value(other) / self

    def __pow__(self, exponent: float) -> Value:
        if isinstance(exponent, Value):
            raise ValueError("exponent must be a plain number, not a Value")  # noqa: TRY004 - as everywhere in the course
        return _made(self.data**exponent, (self, exponent * self.data ** (exponent - 1)))

    def tanh(self) -> Value:
        """Return the hyperbolic tangent."""
        t = math.tanh(self.data)
        return _made(t, (self, 1 - t * t))

    def relu(self) -> Value:
        """Return max(0, self), with slope 0 at 0."""
        return _made(max(self.data, 0.0), (self, float(self.data > 0)))

    def exp(self) -> Value:
        """Return e to the power of self."""
        e = math.exp(self.data)
        return _made(e, (self, e))

    def log(self) -> Value:
        """Return the natural logarithm."""
        if self.data <= 0:
            raise ValueError(f"log of {self.data}: it must be greater than 0")
        return _made(math.log(self.data), (self, 1 / self.data))

    def backward(self) -> None:
        """Add d self / d v to v.grad for every v that self was computed from, and for self."""
        order = _users_first(self)
        # This pass has sums of its own: .grad may hold what an earlier pass left, and that must not be passed on.
        slopes = dict.fromkeys(order, 0.0)
        slopes[self] = 1.0
        for value in order:
            for parent, slope in value._parents:
                slopes[parent] += slopes[value] * slope  # several paths: add
        for value, slope in slopes.items():
            value.grad += slope


def _as_value(number: Value | float) -> Value:
    return number if isinstance(number, Value) else Value(number)


def _made(data: float, *parents: tuple[Value, float]) -> Value:
    value = Value(data)
    value._parents = parents
    return value


def _users_first(root: Value) -> list[Value]:
    """Return all values of the graph, each one before those it was made from. (Post-order, with a stack of its own.)"""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        value, parents_done = stack.pop()
        if parents_done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack.extend((parent, False) for parent, _ in value._parents)
    return order[::-1]


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


def _sigmoid(z: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(z))  # section 12
    return np.where(z >= 0, 1, small) / (1 + small)


ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
SLOPES = {  # from the output a, which the forward pass has stored anyway
    "identity": np.ones_like,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "relu": lambda a: (a > 0).astype(a.dtype),
}


def backprop(X: np.ndarray, y: np.ndarray, layers: Layers, activations: list[str], loss: str) -> dict:
    """Return the loss of a network and its gradients for all weights, all biases and the input."""
    _check_network(X, layers, activations)
    outputs = [X]
    for (W, b), name in zip(layers, activations, strict=True):
        outputs.append(ACTIVATIONS[name](outputs[-1] @ W.T + b))
    value, upstream = _loss_and_gradient(outputs[-1], y, loss)

    grads = []
    for i in reversed(range(len(layers))):
        delta = upstream * SLOPES[activations[i]](outputs[i + 1])  # dL/dz of layer i, (N, n_out)
        grads.append((delta.T @ outputs[i], delta.sum(axis=0)))
        upstream = delta @ layers[i][0]  # dL/da of the layer before, (N, n_in)
    return {"loss": value, "grads": grads[::-1], "dX": upstream}


def _check_network(X: np.ndarray, layers: Layers, activations: list[str]) -> None:
    if len(activations) != len(layers):
        raise ValueError(f"activations has {len(activations)} names for {len(layers)} layers")
    if unknown := set(activations) - set(ACTIVATIONS):
        raise ValueError(f"activations: there is no {min(unknown)}")
    width = X.shape[1]
    for i, (W, b) in enumerate(layers):
        if W.shape[1] != width or b.shape != W.shape[:1]:
            raise ValueError(f"layers: W {W.shape} and b {b.shape} of layer {i} do not fit {width} inputs")
        width = W.shape[0]


def _loss_and_gradient(out: np.ndarray, y: np.ndarray, loss: str) -> tuple[float, np.ndarray]:
    """Return the loss and its gradient for the network's output (section 16)."""
    n = len(out)
    if loss == "mse":
        if y.shape != out.shape:
            raise ValueError(f"y has shape {y.shape}, but the network puts out {out.shape}")
        error = out - y
        return float(np.mean(error**2)), 2 * error / error.size
    if loss == "cce":
        if y.shape != (n,) or y.min() < 0 or y.max() >= out.shape[1]:
            raise ValueError(f"y must hold {n} labels from 0 to {out.shape[1] - 1}")
        z = out - out.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        upstream = np.exp(log_p)
        upstream[np.arange(n), y] -= 1
        return float(-log_p[np.arange(n), y].mean()), upstream / n
    raise ValueError(f"loss must be mse or cce, not {loss}")


def gradient_check(
    loss_and_grad: Callable[[list[np.ndarray]], tuple[float, list[np.ndarray]]],
    params: list[np.ndarray],
    h: float = 1e-5,
) -> float:
    """Return the largest relative difference between a gradient and central differences."""
    if not h > 0:
        raise ValueError(f"h is {h}; it must be greater than 0")
    _, grads = loss_and_grad(params)
    worst = 0.0
    for i, p in enumerate(params):
        for index in np.ndindex(p.shape):
            around = []
            for step in (h, -h):
                moved = [q.copy() for q in params]  # fresh copies: p + h - h need not be p again
                moved[i][index] += step
                around.append(loss_and_grad(moved)[0])
            a, n = grads[i][index], (around[0] - around[1]) / (2 * h)
            error = abs(a - n) / max(1e-8, abs(a) + abs(n))
            worst = np.maximum(worst, error)  # NaN stays NaN; the builtin max would lose it
    return float(worst)


def sgd_update(layers: Layers, grads: Layers, lr: float) -> Layers:
    """Return the layers after one step of gradient descent, as new arrays."""
    return [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(layers, grads, strict=True)]
