"""Section 11: stacks of linear layers, nine activations, a test for being affine, and a fit that a bend makes possible."""

import math
from collections.abc import Callable

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    """Return the error function, entry by entry, always as float64. Given: leave it as it is.

    erf(x) is 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x. It goes from -1 to 1.
    """
    values = [math.erf(value) for value in np.ravel(x)]
    return np.array(values, dtype=np.float64).reshape(np.shape(x))


def collapse_linear(layers: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the one layer that does the same as a stack of layers without activations.

    Args:
        layers: at least one pair (W, b), the first layer first. W is (n_out, n_in), b is (n_out,); a layer computes
            W x + b for each sample x. float32, float64 or ints.

    Returns:
        (W, b), both new arrays: W is (O, D), b is (O,), with D inputs of the first layer and O outputs of the last.
        float32 gives float32, everything else float64.

    Raises:
        ValueError: a layer takes another number of inputs than the layer before it puts out; the text names `layers`.

    Source: section 11, "a fancy linear equation".
    """
    raise NotImplementedError("section 11: write collapse_linear")


def activation(name: str, x: np.ndarray) -> np.ndarray:
    """Apply one of nine activations to every entry.

    Args:
        name: "identity", "step" (1 from 0 on, 0 below), "sigmoid", "tanh", "relu", "leaky_relu" (slope 0.01),
            "elu" (alpha 1), "softplus" or "gelu" (the exact one, with erf).
        x: any shape, also () and empty. float32, float64, ints or bools; finite or NaN.

    Returns:
        A new array of the same shape. NaN stays NaN for each of the nine, and nothing overflows on the way.
        float32 gives float32, everything else float64.

    Raises:
        ValueError: there is no activation of this name; the text names `name`.

    Source: section 11, "Activation Function Explorer"; Hendrycks and Gimpel 2016 for gelu.
    """
    raise NotImplementedError("section 11: write activation")


def is_affine(f: Callable[[np.ndarray], np.ndarray], D: int, seed: int, tol: float = 1e-6) -> bool:
    """Find out by random trials whether a function is affine, that is, of the form A x + b for each row x.

    At each of the scales 0.1, 1 and 10 at least 64 random pairs of points are drawn, with entries from a normal
    distribution with mean 0 and standard deviation equal to the scale, and to each pair a mixing number alpha from 0 to 1.
    The function counts as affine if f(alpha x + (1 - alpha) y) and alpha f(x) + (1 - alpha) f(y) agree everywhere.

    Args:
        f: takes (N, D) float64, returns (N, O): a row of its own for each row, for any N.
        D: number of inputs, at least 1.
        seed: all random numbers come from a generator made from it; the same seed asks f for the same points.
        tol: the two sides agree if they differ by no more than tol times the largest absolute value that f took at
            this scale.

    Returns:
        True or False. A function that gives NaN is not affine.

    Source: section 11, "linear combination of inputs", put right.
    """
    raise NotImplementedError("section 11: write is_affine")


def random_feature_fit(x: np.ndarray, y: np.ndarray, n_hidden: int, name: str, seed: int) -> dict:
    """Fit a curve with a network of one hidden layer whose hidden weights are random and stay as they are.

    Each hidden unit draws a weight w from a normal distribution with mean 0 and standard deviation 3, and a place c
    from the uniform distribution over the range of `x`; its bias is -w c. The output weights and the output bias are
    those with the least mean squared error.

    Args:
        x: (N,) float64, the inputs.
        y: (N,) float64, the wanted outputs.
        n_hidden: number H of hidden units, at least 1.
        name: the hidden layer's activation, as for `activation`. The output layer has none.
        seed: all random numbers come from a generator made from it.

    Returns:
        "layers": [(W1, b1), (W2, b2)] of the shapes (H, 1), (H,), (1, H), (1,).
        "mse": float, the mean over the samples of the squared difference between network and `y`.

    Source: section 11, "ability to learn"; Schmidt, Kraaijveld and Duin 1992.
    """
    raise NotImplementedError("section 11: write random_feature_fit")
