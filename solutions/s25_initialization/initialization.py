"""Section 25: start weights that keep a signal alive through many layers, and the measurement that shows it."""

import math
from itertools import pairwise

import numpy as np

DRAWN = ("xavier", "he", "lecun")
KINDS = ("zeros", "normal", *DRAWN)
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu")


def activate(name: str, z: np.ndarray) -> np.ndarray:
    """Apply an activation to every entry of z. Given: leave it as it is.

    The names are identity, sigmoid, tanh, relu, leaky_relu, elu and selu. Any other name is a KeyError.
    """
    return {
        "identity": lambda: z + 0,
        "sigmoid": lambda: (1 + np.tanh(z / 2)) / 2,
        "tanh": lambda: np.tanh(z),
        "relu": lambda: np.maximum(z, 0),
        "leaky_relu": lambda: np.maximum(z, z / 100),
        "elu": lambda: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        # The scale and the depth for which mean 0 and variance 1 come out as mean 0 and variance 1.
        "selu": lambda: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543773 * np.expm1(np.minimum(z, 0))),
    }[name]()


def _refuse_unknown(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")


def _refuse_below_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value}")


def _refuse_no_spread(kind: str, std: float) -> None:
    if kind == "normal" and std <= 0:
        raise ValueError(f"std must be above 0, not {std}")


def _variance(kind: str, n_out: int, n_in: int) -> float:
    return {"xavier": 2 / (n_in + n_out), "he": 2 / n_in, "lecun": 1 / n_in}[kind]


def _draw(kind: str, n_out: int, n_in: int, rng: np.random.Generator, std: float) -> np.ndarray:
    if kind == "zeros":
        return np.zeros((n_out, n_in))
    spread = std if kind == "normal" else math.sqrt(_variance(kind, n_out, n_in))
    return rng.normal(0.0, spread, (n_out, n_in))


def initialize(kind: str, n_out: int, n_in: int, seed: int, std: float = 0.01) -> np.ndarray:
    """Return start weights for one layer."""
    _refuse_unknown("kind", kind, KINDS)
    _refuse_below_one("n_out", n_out)
    _refuse_below_one("n_in", n_in)
    _refuse_no_spread(kind, std)
    return _draw(kind, n_out, n_in, np.random.default_rng(seed), std)


def uniform_limit(kind: str, n_out: int, n_in: int) -> float:
    """Return the a for which U(-a, a), whose variance is a²/3, has the variance of the table."""
    _refuse_unknown("kind", kind, DRAWN)
    _refuse_below_one("n_out", n_out)
    _refuse_below_one("n_in", n_in)
    return math.sqrt(3 * _variance(kind, n_out, n_in))


def signal_stds(sizes: list[int], activation: str, kind: str, seed: int, std: float = 0.01, n: int = 256) -> np.ndarray:
    """Return the root mean square of every layer's output for normally distributed input."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be two or more numbers of units, each 1 or more, not {sizes}")
    _refuse_unknown("activation", activation, ACTIVATIONS)
    _refuse_unknown("kind", kind, KINDS)
    _refuse_no_spread(kind, std)
    _refuse_below_one("n", n)
    rng = np.random.default_rng(seed)  # one for all: with the same seed twice, two layers would be alike
    signal, found = rng.standard_normal((n, sizes[0])), []
    for n_in, n_out in pairwise(sizes):
        signal = activate(activation, signal @ _draw(kind, n_out, n_in, rng, std).T)
        found.append(np.sqrt(np.mean(signal**2)))
    return np.array(found)


def distinct_units(W: np.ndarray, tol: float = 1e-12) -> int:
    """Return how many different rows W has; rows are the same if no entry differs by more than tol."""
    seen: list[np.ndarray] = []
    for row in W:
        if all(np.abs(row - other).max() > tol for other in seen):
            seen.append(row)
    return len(seen)


def recommend(activation: str) -> str:
    """Return the kind of start that suits an activation."""
    table = {"xavier": ("sigmoid", "tanh"), "he": ("relu", "leaky_relu", "elu"), "lecun": ("selu",)}
    for kind, names in table.items():
        if activation in names:
            return kind
    raise ValueError(f"activation must be one of the table's, not {activation!r}")
