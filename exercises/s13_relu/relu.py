"""Section 13: ReLU, Leaky ReLU and ELU with their derivatives, and a search for dead units."""

import numpy as np


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(0, x), element by element, as a new array.

    Args:
        x: any shape, also () and empty. float32, float64, ints or bools; infinities and NaN may occur.

    Returns:
        Same shape. NaN stays NaN; what is negative, -inf too, becomes a plain 0 (not -0.0).
        float32 gives float32, everything else float64.

    Source: section 13, "ReLU".
    """
    raise NotImplementedError("section 13: write relu")


def relu_backward(x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """Pass a gradient backwards through relu.

    Args:
        x: what went into relu, any shape, float32 or float64.
        upstream: dL/d relu(x), same shape and dtype as `x`.

    Returns:
        dL/dx as a new array, same shape and dtype. The derivative of relu at x = 0 is taken as 0.

    Raises:
        ValueError: `upstream` has another shape than `x`, even if numpy could stretch it; the text names `upstream`.

    Source: section 13, "If x > 0, return x. If x ≤ 0, return 0".
    """
    raise NotImplementedError("section 13: write relu_backward")


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Return x where x is positive and slope * x elsewhere, as a new array.

    Args:
        x: as for relu.
        slope: any number: it may be 0, more than 1, or negative.

    Returns:
        Same shape. float32 gives float32, everything else float64.

    Source: section 13, "Variants"; Maas, Hannun and Ng 2013.
    """
    raise NotImplementedError("section 13: write leaky_relu")


def leaky_relu_backward(x: np.ndarray, upstream: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Pass a gradient backwards through leaky_relu.

    Args:
        x: what went into leaky_relu, any shape, float32 or float64.
        upstream: dL/d leaky_relu(x), same shape and dtype as `x`.
        slope: any number.

    Returns:
        dL/dx as a new array, same shape and dtype. The derivative at x = 0 is taken as `slope`.

    Raises:
        ValueError: `upstream` has another shape than `x`, even if numpy could stretch it; the text names `upstream`.

    Source: section 13, "Variants"; Maas, Hannun and Ng 2013.
    """
    raise NotImplementedError("section 13: write leaky_relu_backward")


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Return x where x is positive and alpha * (e^x - 1) elsewhere, as a new array.

    Args:
        x: as for relu. Neither a large x overflows, nor does a tiny one lose its digits.
        alpha: 0 or more; for very negative x the result comes close to -alpha.

    Returns:
        Same shape. float32 gives float32, everything else float64.

    Raises:
        ValueError: `alpha` is negative; the text names it.

    Source: section 13, "Variants"; Clevert, Unterthiner and Hochreiter 2016.
    """
    raise NotImplementedError("section 13: write elu")


def elu_backward(x: np.ndarray, upstream: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Pass a gradient backwards through elu.

    Args:
        x: what went into elu, any shape, float32 or float64.
        upstream: dL/d elu(x), same shape and dtype as `x`.
        alpha: 0 or more.

    Returns:
        dL/dx as a new array, same shape and dtype. The derivative at x = 0 is taken as `alpha`.

    Raises:
        ValueError: `upstream` has another shape than `x`, or `alpha` is negative; the text names the argument.

    Source: section 13, "Variants"; Clevert, Unterthiner and Hochreiter 2016.
    """
    raise NotImplementedError("section 13: write elu_backward")


def activity(H: np.ndarray) -> dict:
    """Say how much of a hidden layer is silent.

    Args:
        H: (N, K) outputs of K units for N samples, at least one of each; entries of either sign.

    Returns:
        "sparsity": float, the share of entries of `H` that are 0.
        "dead": int64 array, indices of the units that are 0 for every sample, in ascending order.

    Source: section 13, "sparse activations" and "Dying ReLU".
    """
    raise NotImplementedError("section 13: write activity")
