"""Section 16: squared and absolute error, binary and categorical cross-entropy, with their gradients."""

import numpy as np


def mse(pred: np.ndarray, y: np.ndarray) -> float:
    """Return the mean squared error: the mean of (pred - y)² over all elements.

    Args:
        pred: predictions, any shape, also (). float32, float64 or ints of any width (uint8 pixels too).
        y: targets, same shape, of any of these dtypes.

    Raises:
        ValueError: `y` has another shape than `pred`, even if numpy could stretch it, or `pred` is empty; the
            text names the argument.

    Source: section 16, "Mean Squared Error".
    """
    raise NotImplementedError("section 16: write mse")


def mse_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the derivative of mse(pred, y) with respect to every element of pred.

    Args:
        pred: as for mse.
        y: as for mse.

    Returns:
        A new array in the shape of `pred`. float32 `pred` gives float32, whatever `y` is; everything else gives float64.

    Raises:
        ValueError: as for mse.

    Source: section 16, "Mean Squared Error".
    """
    raise NotImplementedError("section 16: write mse_grad")


def mae(pred: np.ndarray, y: np.ndarray) -> float:
    """Return the mean absolute error: the mean of |pred - y| over all elements.

    Args:
        pred: as for mse.
        y: as for mse.

    Raises:
        ValueError: as for mse.

    Source: section 16, "Mean Absolute Error".
    """
    raise NotImplementedError("section 16: write mae")


def mae_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the derivative of mae(pred, y) with respect to every element of pred, taken as 0 where pred equals y.

    Args:
        pred: as for mse.
        y: as for mse.

    Returns:
        A new array in the shape of `pred`. float32 `pred` gives float32, whatever `y` is; everything else gives float64.

    Raises:
        ValueError: as for mse.

    Source: section 16, "Mean Absolute Error".
    """
    raise NotImplementedError("section 16: write mae_grad")


def bce(p: np.ndarray, y: np.ndarray, eps: float = 1e-12) -> float:
    """Return the binary cross-entropy -[y log(p) + (1 - y) log(1 - p)], averaged over all elements. log is natural.

    Args:
        p: predicted probabilities, any shape, float32 or float64. Each is first moved into the range [eps, 1 - eps],
            so the loss is finite for 0 and 1 as well, in float32 too.
        y: targets between 0 and 1 (0 and 1 included), same shape; floats, ints or bools.
        eps: how close to 0 and 1 a probability may come.

    Raises:
        ValueError: `y` has another shape than `p` or an entry outside 0 to 1, or `p` is empty; the text names the
            argument.

    Source: section 16, "Binary Cross-Entropy".
    """
    raise NotImplementedError("section 16: write bce")


def bce_logits(z: np.ndarray, y: np.ndarray) -> float:
    """Return the binary cross-entropy of p = sigmoid(z) and y, averaged over all elements, computed from z.

    Args:
        z: logits, any shape, any finite size. float32, float64 or ints. Nothing is clipped and nothing overflows: for
            z = -800 and y = 1 the loss is 800.
        y: targets between 0 and 1, same shape; floats, ints or bools.

    Raises:
        ValueError: `y` has another shape than `z` or an entry outside 0 to 1, or `z` is empty; the text names the
            argument.

    Source: section 16, "Binary Cross-Entropy"; section 12 for the sigmoid.
    """
    raise NotImplementedError("section 16: write bce_logits")


def bce_logits_grad(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the derivative of bce_logits(z, y) with respect to every element of z.

    Args:
        z: as for bce_logits.
        y: as for bce_logits.

    Returns:
        A new array in the shape of `z`. float32 `z` gives float32, whatever `y` is; everything else gives float64.
        Nothing overflows on the way.

    Raises:
        ValueError: as for bce_logits.

    Source: section 16, "Binary Cross-Entropy".
    """
    raise NotImplementedError("section 16: write bce_logits_grad")


def cce(logits: np.ndarray, y: np.ndarray) -> float:
    """Return the categorical cross-entropy of softmax(logits) and y, averaged over the N samples. log is natural.

    Args:
        logits: scores of C classes for N samples, (N, C), any finite size. float32, float64 or ints. The softmax is
            part of this function; no probability is clipped.
        y: either labels from 0 to C - 1, (N,), ints; or one row of probabilities per sample, (N, C), each row with the
            sum 1: a single 1 and zeros (one-hot; floats, ints or bools), or anything between (soft targets).

    Raises:
        ValueError: `y` has neither shape (N,) nor (N, C), or a label below 0 or above C - 1, or `logits` is empty; the
            text names the argument.

    Source: section 16, "Categorical Cross-Entropy"; section 14 for the softmax.
    """
    raise NotImplementedError("section 16: write cce")


def cce_grad(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the derivative of cce(logits, y) with respect to every logit.

    Args:
        logits: as for cce.
        y: as for cce, labels or rows of probabilities.

    Returns:
        (N, C), a new array. float32 `logits` gives float32, whatever `y` is; everything else gives float64.

    Raises:
        ValueError: as for cce.

    Source: section 16, "Categorical Cross-Entropy".
    """
    raise NotImplementedError("section 16: write cce_grad")
