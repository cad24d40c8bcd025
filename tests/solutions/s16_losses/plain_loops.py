"""Another correct solution of section 16: plain Python over single numbers, exact sums."""

import math

import numpy as np


def _numbers(array):
    return [float(value) for value in np.asarray(array).ravel()]


def _check(first, y, name):
    if np.shape(first) != np.shape(y):
        raise ValueError(f"the shape of y is not that of {name}")
    if np.size(first) == 0:
        raise ValueError(f"there is nothing in {name}")


def _check_targets(y):
    for value in _numbers(y):
        if not 0 <= value <= 1:
            raise ValueError(f"y has an entry {value}")


def _mean(terms):
    return math.fsum(terms) / len(terms)


def _like(values, first):
    dtype = np.float32 if np.asarray(first).dtype == np.float32 else np.float64
    return np.array(values, dtype).reshape(np.shape(first))


def mse(pred: np.ndarray, y: np.ndarray) -> float:
    _check(pred, y, "pred")
    return _mean([(a - b) ** 2 for a, b in zip(_numbers(pred), _numbers(y), strict=True)])


def mse_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    _check(pred, y, "pred")
    n = np.size(pred)
    return _like([2 * (a - b) / n for a, b in zip(_numbers(pred), _numbers(y), strict=True)], pred)


def mae(pred: np.ndarray, y: np.ndarray) -> float:
    _check(pred, y, "pred")
    return _mean([abs(a - b) for a, b in zip(_numbers(pred), _numbers(y), strict=True)])


def mae_grad(pred: np.ndarray, y: np.ndarray) -> np.ndarray:
    _check(pred, y, "pred")
    n = np.size(pred)
    return _like([((a > b) - (a < b)) / n for a, b in zip(_numbers(pred), _numbers(y), strict=True)], pred)


def bce(p: np.ndarray, y: np.ndarray, eps: float = 1e-12) -> float:
    _check(p, y, "p")
    _check_targets(y)
    terms = []
    for a, b in zip(_numbers(p), _numbers(y), strict=True):
        kept = min(max(a, eps), 1 - eps)
        terms.append(-b * math.log(kept) - (1 - b) * math.log(1 - kept))
    return _mean(terms)


def _softplus(z):
    return z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z))


def bce_logits(z: np.ndarray, y: np.ndarray) -> float:
    _check(z, y, "z")
    _check_targets(y)
    return _mean([b * _softplus(-a) + (1 - b) * _softplus(a) for a, b in zip(_numbers(z), _numbers(y), strict=True)])


def _sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def bce_logits_grad(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    _check(z, y, "z")
    _check_targets(y)
    n = np.size(z)
    return _like([(_sigmoid(a) - b) / n for a, b in zip(_numbers(z), _numbers(y), strict=True)], z)


def _rows(logits, y):
    n, classes = logits.shape
    if n == 0:
        raise ValueError("logits has no rows")
    if y.shape == (n, classes):
        return [_numbers(row) for row in y]
    if y.shape != (n,):
        raise ValueError(f"y has the shape {y.shape}")
    rows = []
    for label in y.tolist():
        if label not in range(classes):
            raise ValueError(f"y has a label {label}")
        rows.append([float(k == label) for k in range(classes)])
    return rows


def _log_softmax(row):
    largest = max(row)
    rest = math.log(math.fsum(math.exp(score - largest) for score in row))
    return [score - largest - rest for score in row]


def cce(logits: np.ndarray, y: np.ndarray) -> float:
    losses = []
    for scores, target in zip(logits, _rows(logits, y), strict=True):
        losses.append(-math.fsum(t * s for t, s in zip(target, _log_softmax(_numbers(scores)), strict=True)))
    return _mean(losses)


def cce_grad(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = []
    for scores, target in zip(logits, _rows(logits, y), strict=True):
        rows.append(
            [(math.exp(s) - t) / len(logits) for t, s in zip(target, _log_softmax(_numbers(scores)), strict=True)]
        )
    return _like(rows, logits)
