"""Section 15: forward propagation through a dense network, for a batch, in small batches, and for one sample.

A network is data: `layers` is a list of pairs (W, b), the first layer first, with W (n_out, n_in) and b (n_out,);
`activations` is a list with one name for each layer.
"""

import math

import numpy as np


def activation(name: str, z: np.ndarray) -> np.ndarray:
    """Apply one of the nine activations of section 11 to every entry of z. Given: leave it as it is.

    The names are identity, step, sigmoid, tanh, relu, leaky_relu, elu, softplus and gelu. softmax is not among them:
    it does not work entry by entry. Any other name is a KeyError. float32 stays float32.
    """
    return {
        "identity": lambda: z + 0,
        "step": lambda: (z >= 0).astype(z.dtype),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
        "relu": lambda: z * (z > 0),
        "leaky_relu": lambda: np.where(z > 0, z, z / 100),
        "elu": lambda: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
        "softplus": lambda: np.log(1 + np.exp(z)),
        "gelu": lambda: z * (1 + np.vectorize(math.erf, otypes=[z.dtype])(z / math.sqrt(2))) / 2,
    }[name]()


def dense(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the weighted sums of one layer for a batch of samples.

    Args:
        X: (N, D), one sample per row; N may be 0. float32, float64 or ints, as the others.
        W: (O, D), one unit per row.
        b: (O,), one bias per unit.

    Returns:
        (N, O), a new array: entry [n, k] is the sum of unit k for sample n. float32 if all three are float32, else
        float64.

    Raises:
        ValueError: the rows of X and of W differ in length (the text names `X` and `W`), or `b` has not one entry for
            each row of W (the text names `b`).

    Source: section 15, "z = W · x + b".
    """
    raise NotImplementedError("section 15: write dense")


def forward(X: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], activations: list[str]) -> dict:
    """Pass a batch through the network and keep what every layer computed.

    Args:
        X: (N, D), one sample per row.
        layers: L pairs (W, b), L at least 1.
        activations: L names. Each is one of the nine that `activation` knows, or "softmax": over the units of the
            layer, for each sample on its own, without overflow for sums of any size.

    Returns:
        "z": list of L arrays, z[k] (N, n_out of layer k): the weighted sums of layer k.
        "a": list of L + 1 arrays: a[0] equals X, a[k + 1] is the activation of z[k]. The last is the output.
        All are new arrays, a[0] too. float32 if X and the layers are float32, else float64.

    Raises:
        ValueError: there are more or fewer names than layers, or a name is unknown; the text names `activations`.

    Source: section 15, "At each layer".
    """
    raise NotImplementedError("section 15: write forward")


def predict(
    X: np.ndarray,
    layers: list[tuple[np.ndarray, np.ndarray]],
    activations: list[str],
    batch_size: int | None = None,
) -> np.ndarray:
    """Return the network's output for all samples, computed batch_size rows at a time.

    Args:
        X: (N, D), one sample per row; N may be 0.
        layers: as for forward.
        activations: as for forward.
        batch_size: at most so many rows are passed through the network at once; the last batch may be smaller. None
            means all at once. It may be larger than N.

    Returns:
        (N, O), the same values, in the same order, for every batch_size.

    Raises:
        ValueError: `batch_size` is less than 1; the text names it.

    Source: section 15, "how the network makes predictions".
    """
    raise NotImplementedError("section 15: write predict")


def forward_single(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], activations: list[str]) -> np.ndarray:
    """Return the network's output for one sample, by the formula for a single vector: f(W · x + b).

    Args:
        x: (D,), one sample.
        layers: as for forward.
        activations: as for forward.

    Returns:
        (O,), a new array.

    Source: section 15, "z = W · x + b".
    """
    raise NotImplementedError("section 15: write forward_single")
