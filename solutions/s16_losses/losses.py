"""Section 16: squared and absolute error, binary and categorical cross-entropy, with their gradients."""

import numpy as np


def mse(pred: np.ndarray, y: np.ndarray) -> float:
    """Return the mean of (pred - y)² over all elements."""
    pred, y = _pair(pred, y, "pred")
    return float(np.mean((pred - y) ** 2))


def mse_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return d mse / d pred."""
    pred, y = _pair(pred, y, "pred")
    return 2 * (pred - y) / pred.size


def mae(pred: np.ndarray, y: np.ndarray) -> float:
    """Return the mean of |pred - y| over all elements."""
    pred, y = _pair(pred, y, "pred")
    return float(np.mean(np.abs(pred - y)))


def mae_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return d mae / d pred; 0 where both are equal."""
    pred, y = _pair(pred, y, "pred")
    return np.sign(pred - y) / pred.size  # sign(0) is 0, as wanted


def bce(p: np.ndarray, y: np.ndarray, eps: float = 1e-12) -> float:
    """Return the mean binary cross-entropy of probabilities, clipped to [eps, 1 - eps]."""
    p, y = _pair(p, y, "p")
    _refuse_no_probability(y)
    p = np.clip(p.astype(np.float64), eps, 1 - eps)  # in float32 1 - 1e-12 would be 1, and the clipping void
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))


def bce_logits(z: np.ndarray, y: np.ndarray) -> float:
    """Return the mean binary cross-entropy of sigmoid(z), computed from z."""
    z, y = _pair(z, y, "z")
    _refuse_no_probability(y)
    # log(1 + exp(z)) - z * y, with the larger part of the logarithm taken out: no exponent is positive
    return float(np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))))


def bce_logits_grad(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return d bce_logits / dz."""
    z, y = _pair(z, y, "z")
    _refuse_no_probability(y)
    small = np.exp(-np.abs(z))
    p = np.where(z >= 0, 1, small) / (1 + small)  # section 12
    return (p - y) / z.size


def cce(logits: np.ndarray, y: np.ndarray) -> float:
    """Return the mean cross-entropy of softmax(logits) over the samples; y holds labels or rows of probabilities."""
    logits, targets = _scores_and_targets(logits, y)
    return float(-np.sum(targets * _log_softmax(logits)) / len(logits))


def cce_grad(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return d cce / d logits."""
    logits, targets = _scores_and_targets(logits, y)
    return (np.exp(_log_softmax(logits)) - targets) / len(logits)


def _pair(pred: np.ndarray, y: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Check that both have the same shape and are not empty; return them as floats of the precision of `pred`."""
    if np.shape(pred) != np.shape(y):
        raise ValueError(f"y has shape {np.shape(y)}, but {name} has {np.shape(pred)}")
    if np.size(pred) == 0:
        raise ValueError(f"{name} is empty: of nothing there is no mean")
    precision = np.float32 if pred.dtype == np.float32 else np.float64
    return pred.astype(precision), y.astype(precision)


def _refuse_no_probability(y: np.ndarray) -> None:
    if np.any((y < 0) | (y > 1)):
        raise ValueError("y must lie between 0 and 1")


def _scores_and_targets(logits: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return logits as floats and the targets as rows of probabilities, both (N, C)."""
    if y.ndim == 1:
        n, classes = logits.shape
        if len(y) != n:
            raise ValueError(f"y has {len(y)} labels for {n} samples")
        if n and not (y.min() >= 0 and y.max() < classes):  # an index of -1 would quietly mean the last class
            raise ValueError(f"y must hold labels from 0 to {classes - 1}")
        y = np.arange(classes) == y[:, None]
    return _pair(logits, y, "logits")


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    z = logits - logits.max(axis=1, keepdims=True)  # section 14: the largest exponent is 0
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
