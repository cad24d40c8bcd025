"""Another correct solution of section 25: an old-style generator, Box and Muller's normal numbers, loops over rows."""

import math

import numpy as np


def activate(name: str, z: np.ndarray) -> np.ndarray:
    return {
        "identity": lambda: z + 0,
        "sigmoid": lambda: (1 + np.tanh(z / 2)) / 2,
        "tanh": lambda: np.tanh(z),
        "relu": lambda: np.maximum(z, 0),
        "leaky_relu": lambda: np.maximum(z, z / 100),
        "elu": lambda: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        "selu": lambda: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543773 * np.expm1(np.minimum(z, 0))),
    }[name]()


def _normal(rng, rows, columns):
    radius = np.sqrt(-2 * np.log(1 - rng.random_sample((rows, columns))))
    return radius * np.cos(2 * np.pi * rng.random_sample((rows, columns)))


def _check(kind, kinds, std):
    if kind not in kinds:
        raise ValueError("kind")
    if kind == "normal" and std <= 0:
        raise ValueError("std")


def _variance(kind, n_out, n_in):
    fans = {"he": n_in / 2, "lecun": n_in, "xavier": (n_in + n_out) / 2}
    return 1 / fans[kind]


def initialize(kind: str, n_out: int, n_in: int, seed: int, std: float = 0.01) -> np.ndarray:
    _check(kind, ["zeros", "normal", "xavier", "he", "lecun"], std)
    if n_out < 1:
        raise ValueError("n_out")
    if n_in < 1:
        raise ValueError("n_in")
    if kind == "zeros":
        return np.full((n_out, n_in), 0.0)
    spread = std if kind == "normal" else math.sqrt(_variance(kind, n_out, n_in))
    return spread * _normal(np.random.RandomState([seed % 2**32, 7]), n_out, n_in)


def uniform_limit(kind: str, n_out: int, n_in: int) -> float:
    _check(kind, ["xavier", "he", "lecun"], 1)
    if n_out < 1:
        raise ValueError("n_out")
    if n_in < 1:
        raise ValueError("n_in")
    return float(np.sqrt(3.0 * _variance(kind, n_out, n_in)))


def signal_stds(sizes: list[int], activation: str, kind: str, seed: int, std: float = 0.01, n: int = 256) -> np.ndarray:
    if n < 1:
        raise ValueError("n")
    if len(sizes) < 2 or not all(size > 0 for size in sizes):
        raise ValueError("sizes")
    if activation not in ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu"):
        raise ValueError("activation")
    _check(kind, ["zeros", "normal", "xavier", "he", "lecun"], std)
    signal = _normal(np.random.RandomState([seed % 2**32, 8]), n, sizes[0])
    seeds = np.random.RandomState([seed % 2**32, 9]).randint(2**31, size=len(sizes))
    found = np.zeros(len(sizes) - 1)
    for k, n_out in enumerate(sizes[1:]):
        signal = activate(
            activation, np.einsum("ni,oi->no", signal, initialize(kind, n_out, sizes[k], int(seeds[k]), std))
        )
        found[k] = (np.vdot(signal, signal) / signal.size) ** 0.5
    return found


def distinct_units(W: np.ndarray, tol: float = 1e-12) -> int:
    different = 0
    for k in range(len(W)):
        twin = False
        for j in range(k):
            if max(abs(float(a) - float(b)) for a, b in zip(W[j], W[k], strict=True)) <= tol:
                twin = True
        different += not twin
    return different


def recommend(activation: str) -> str:
    for names, kind in ((("sigmoid", "tanh"), "xavier"), (("relu", "leaky_relu", "elu"), "he"), (("selu",), "lecun")):
        if activation in names:
            return kind
    raise ValueError("activation")
