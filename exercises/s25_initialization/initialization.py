"""Section 25: start weights that keep a signal alive through many layers, and the measurement that shows it."""

import numpy as np


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


def initialize(kind: str, n_out: int, n_in: int, seed: int, std: float = 0.01) -> np.ndarray:
    """Return start weights for one layer.

    Args:
        kind: "zeros": all weights are 0. The others draw each weight for itself from a normal distribution with mean 0.
            "normal": its standard deviation is `std`. "xavier", "he", "lecun": its variance is 2 / (n_in + n_out),
            2 / n_in, 1 / n_in.
        n_out: units of the layer.
        n_in: inputs of each unit.
        seed: 0 or more. The same seed gives the same weights, another seed others. No global random state is touched.
        std: for "normal" only.

    Returns:
        (n_out, n_in), float64: one unit per row.

    Raises:
        ValueError: `kind` is none of the five, `n_out` or `n_in` is less than 1, or `std` is 0 or less where kind is
            "normal"; the text names the argument.

    Source: section 25; LeCun and others 1998, Glorot and Bengio 2010, He and others 2015.
    """
    raise NotImplementedError("section 25: write initialize")


def uniform_limit(kind: str, n_out: int, n_in: int) -> float:
    """Return the a for which the uniform distribution from -a to a has the same variance as initialize(kind, ...).

    Args:
        kind: "xavier", "he" or "lecun".
        n_out: units of the layer.
        n_in: inputs of each unit.

    Raises:
        ValueError: `kind` is none of these three, or `n_out` or `n_in` is less than 1; the text names the argument.

    Source: section 25; Glorot and Bengio 2010, equation 16.
    """
    raise NotImplementedError("section 25: write uniform_limit")


def signal_stds(sizes: list[int], activation: str, kind: str, seed: int, std: float = 0.01, n: int = 256) -> np.ndarray:
    """Send random input through a fresh network and return the root mean square of what each layer puts out.

    The input is (n, sizes[0]), each entry drawn from a normal distribution with mean 0 and variance 1. A layer has no
    bias: its output is activate(activation, X @ W.T), with W drawn as by `initialize`.

    Args:
        sizes: the number of inputs, then the number of units of each layer.
        activation: a name that `activate` knows, the same for all layers.
        kind: as for initialize.
        seed: input and weights depend on it, as for initialize. Each layer has weights of its own, also where two
            layers are of the same size, and they have nothing to do with the input.
        std: as for initialize.
        n: how many samples are sent through.

    Returns:
        (len(sizes) - 1,), float64: for each layer the square root of the mean of the squares of all its outputs.

    Raises:
        ValueError: `sizes` has fewer than two entries or one below 1, `activation` or `kind` is unknown, `std` is 0 or
            less where kind is "normal", or `n` is less than 1; the text names the argument.

    Source: section 25, "Activations shrink", "Activations explode".
    """
    raise NotImplementedError("section 25: write signal_stds")


def distinct_units(W: np.ndarray, tol: float = 1e-12) -> int:
    """Return how many different units a layer has.

    Args:
        W: (n_out, n_in), one unit per row, float32 or float64.
        tol: two rows are the same if none of their entries differs by more than this.

    Returns:
        The number of different rows, as an int.

    Source: section 25, "All neurons compute the same thing".
    """
    raise NotImplementedError("section 25: write distinct_units")


def recommend(activation: str) -> str:
    """Return the kind of start that suits an activation.

    Args:
        activation: "sigmoid" or "tanh": "xavier"; "relu", "leaky_relu" or "elu": "he"; "selu": "lecun".

    Raises:
        ValueError: it is none of these six; the text names `activation`.

    Source: section 25, the table "Best With".
    """
    raise NotImplementedError("section 25: write recommend")
