"""Another correct solution: Python loops over samples and features, the order from an old-style generator of its own."""

import numpy as np


def gd_step(params, grads, lr):
    if not lr > 0:
        raise ValueError(f"lr = {lr}")
    return [np.asarray(w - lr * g) for w, g in zip(params, grads, strict=True)]


def descend(grad, w0, lr, steps):
    if not lr > 0:
        raise ValueError(f"lr = {lr}")
    if steps < 0:
        raise ValueError(f"steps = {steps}")
    here = w0 + np.zeros(1, np.float32 if w0.dtype == np.float32 else np.float64)
    rows = [list(here)]
    for _ in range(steps):
        here = here - lr * grad(here)
        rows.append(list(here))
    return np.array(rows, dtype=here.dtype)


def _gradient(rows, targets, w, b):
    dw, db = [0.0] * len(w), 0.0
    for row, target in zip(rows, targets, strict=True):
        miss = b - target
        for x, weight in zip(row, w, strict=True):
            miss += x * weight
        db += 2 * miss
        for j, x in enumerate(row):
            dw[j] += 2 * miss * x
    return [d / len(rows) for d in dw], db / len(rows)


def linreg_grad(X, y, w, b):
    dw, db = _gradient(X.tolist(), y.tolist(), w.tolist(), b)
    return np.array(dw, dtype=np.float32 if X.dtype == np.float32 else np.float64), db


def train_linear(X, y, lr, epochs, batch_size, seed):
    n = len(X)
    if not lr > 0:
        raise ValueError(f"lr = {lr}")
    if epochs < 0:
        raise ValueError(f"epochs = {epochs}")
    if batch_size is not None and not 1 <= batch_size <= n:
        raise ValueError(f"batch_size = {batch_size}")
    size = batch_size or n
    random = np.random.RandomState(seed)
    rows, targets = X.tolist(), y.tolist()
    w, b, path, losses = [0.0] * X.shape[1], 0.0, [], []
    path.append([*w, b])
    for _ in range(epochs):
        waiting = list(random.choice(n, n, replace=False))
        while waiting:
            batch, waiting = waiting[:size], waiting[size:]
            dw, db = _gradient([rows[i] for i in batch], [targets[i] for i in batch], w, b)
            w = [weight - lr * d for weight, d in zip(w, dw, strict=True)]
            b -= lr * db
            path.append([*w, b])
        total = 0.0
        for row, target in zip(rows, targets, strict=True):
            total += (sum(x * weight for x, weight in zip(row, w, strict=True)) + b - target) ** 2
        losses.append(total / n)
    return {
        "w": np.array(w),
        "b": b,
        "updates": len(path) - 1,
        "losses": np.array(losses, dtype=float),
        "path": np.array(path),
    }
