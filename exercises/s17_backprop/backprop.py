"""Section 17: backpropagation, once for single numbers and once for whole layers, and a check of any gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


class Value:
    """A number that remembers how it was computed, so that slopes can travel back.

    `a + b`, `a - b`, `a * b`, `a / b` and `-a` give a new Value. One of the two sides may be a plain int or float:
    `2 * a`, `a - 3`, `2 / a`. No operation changes its operands.

    Attributes:
        data: the number, a float.
        grad: sum of what the calls of backward() have brought here; 0.0 at first.

    Source: section 17, "The Chain Rule"; Wengert 1964, Speelpenning 1980.
    """

    def __init__(self, data: float):
        raise NotImplementedError("section 17: write Value")

    def __add__(self, other: Value | float) -> Value:
        raise NotImplementedError("section 17: write Value.__add__")

    def __radd__(self, other: float) -> Value:
        raise NotImplementedError("section 17: write Value.__radd__, for 2 + a")

    def __neg__(self) -> Value:
        raise NotImplementedError("section 17: write Value.__neg__")

    def __sub__(self, other: Value | float) -> Value:
        raise NotImplementedError("section 17: write Value.__sub__")

    def __rsub__(self, other: float) -> Value:
        raise NotImplementedError("section 17: write Value.__rsub__, for 2 - a")

    def __mul__(self, other: Value | float) -> Value:
        raise NotImplementedError("section 17: write Value.__mul__")

    def __rmul__(self, other: float) -> Value:
        raise NotImplementedError("section 17: write Value.__rmul__, for 2 * a")

    def __truediv__(self, other: Value | float) -> Value:
        raise NotImplementedError("section 17: write Value.__truediv__")

    def __rtruediv__(self, other: float) -> Value:
        raise NotImplementedError("section 17: write Value.__rtruediv__, for 2 / a")

    def __pow__(self, exponent: float) -> Value:
        """Return self ** exponent.

        Raises:
            ValueError: the exponent is a Value; the text names exponent.
        """
        raise NotImplementedError("section 17: write Value.__pow__")

    def tanh(self) -> Value:
        """Return the hyperbolic tangent."""
        raise NotImplementedError("section 17: write Value.tanh")

    def relu(self) -> Value:
        """Return max(0, self). The slope at 0 is 0."""
        raise NotImplementedError("section 17: write Value.relu")

    def exp(self) -> Value:
        """Return e to the power of self."""
        raise NotImplementedError("section 17: write Value.exp")

    def log(self) -> Value:
        """Return the natural logarithm.

        Raises:
            ValueError: self is not greater than 0; the text names log.
        """
        raise NotImplementedError("section 17: write Value.log")

    def backward(self) -> None:
        """Add d self / d v to v.grad, for every Value v that self was computed from, and for self itself (1).

        Calls add up, whichever Value they start from: the second call on the same Value doubles every grad. Long
        computations are no problem (a chain of 3000 operations), and every Value is visited once, however many paths
        lead to it.
        """
        raise NotImplementedError("section 17: write Value.backward")


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
    """Run a computation on Values. Ready-made: the tests describe computations with it. Leave it as it is.

    Example: with a = 2 and b = 0.5, the steps

        [("c", "a", "*", "b"), ("d", "c", "+", "a"), ("t", "tanh", "b"), ("o", "d", "*", "t")]

    say c = a * b; d = c + a; t = b.tanh(); o = d * t.

    Args:
        steps: (result, left, sign, right) with a sign of + - * / **, or (result, function, operand) with tanh, relu,
            exp, log or - (the negative). An operand is the name of a leaf or of an earlier result, or a plain number.
        leaves: the start values by name.
        roots: results on which backward() is called, one after the other; without it the last result.

    Returns:
        The data of the last result, and the grad of every leaf and every result by name.
    """
    values = {name: Value(number) for name, number in leaves.items()}
    for name, *left, sign, right in steps:
        operands = [values[entry] if isinstance(entry, str) else entry for entry in (*left, right)]
        values[name] = (TWO if left else ONE)[sign](*operands)
    last = steps[-1][0]
    for root in roots or [last]:
        values[root].backward()
    return values[last].data, {name: value.grad for name, value in values.items()}


def backprop(X: np.ndarray, y: np.ndarray, layers: Layers, activations: list[str], loss: str) -> dict:
    """Return the loss of a network and its gradients for all weights, all biases and the input.

    Layer i computes z = x Wᵀ + b and puts out f(z), with f named by activations[i]; section 15. With "cce" the last
    output holds logits, and the softmax is part of the loss. Nothing overflows on the way, however large the logits
    and the inputs of a sigmoid are.

    Args:
        X: samples in rows, (N, D), N at least 1. X and all layers are of one dtype, float32 or float64.
        y: for "mse" the targets, (N, n_out) in the dtype of X; for "cce" labels, (N,) int64, from 0 to n_out - 1.
        layers: [(W, b), ...] with W (n_out, n_in) and b (n_out,), at least one.
        activations: one name for every layer, the last included: "identity", "sigmoid", "tanh" or "relu". The slope of
            relu at 0 is 0.
        loss: "mse", the mean over all N * n_out squared errors, or "cce", the mean cross-entropy over N samples.

    Returns:
        "loss": a float.
        "grads": [(dW, db), ...], the derivatives of the loss, in the order, shapes and dtype of `layers`.
        "dX": the derivative for the input, (N, D), in the dtype of X.

    Raises:
        ValueError: widths that do not chain, from X through every W and b (the text names layers); a wrong number of
            activations or an unknown one (activations); a y that does not fit, or a label that no class has (y); another
            loss (loss).

    Source: section 17; Rumelhart, Hinton and Williams 1986.
    """
    raise NotImplementedError("section 17: write backprop")


def gradient_check(
    loss_and_grad: Callable[[list[np.ndarray]], tuple[float, list[np.ndarray]]],
    params: list[np.ndarray],
    h: float = 1e-5,
) -> float:
    """Compare a gradient with central differences and return the largest relative error of all entries.

    With a the entry that loss_and_grad claims at `params`, and n = (loss at p + h - loss at p - h) / 2h, where only this
    one entry moves, the relative error of the entry is |a - n| / max(1e-8, |a| + |n|).

    Args:
        loss_and_grad: takes a list of arrays like `params`; returns the loss, a float, and a list of gradients in the
            same shapes.
        params: float64 arrays of any shapes, () too. After the call they are bit for bit what they were.
        h: size of the step, greater than 0.

    Returns:
        The largest error, a float: near 0 for a right gradient, near 1 for nonsense. When an entry of the gradient is
        NaN or infinite the result is NaN or infinite too, never a small number.

    Raises:
        ValueError: h is not greater than 0; the text names h.

    Source: section 17; section 05 for central differences.
    """
    raise NotImplementedError("section 17: write gradient_check")


def sgd_update(layers: Layers, grads: Layers, lr: float) -> Layers:
    """Return the layers after one step against the gradient, w - lr * dw, as new arrays.

    Args:
        layers: [(W, b), ...], float32 or float64; the results have the same dtypes.
        grads: [(dW, db), ...] in the same shapes and dtypes, as backprop returns them.
        lr: learning rate.

    Source: section 17, "Update weights"; section 18.
    """
    raise NotImplementedError("section 17: write sgd_update")
