"""Another correct solution: weights and bias as one vector on inputs with a column of ones, indices shuffled in place."""

import numpy as np


def _positive(lr):
    if lr <= 0:
        raise ValueError("lr has to be positive")


def gd_step(params, grads, lr):
    _positive(lr)
    stepped = []
    for k in range(len(params)):
        new = np.array(params[k])
        new = new.astype(np.float64) if new.dtype.kind in "iub" else new
        stepped.append(np.subtract(new, lr * grads[k]))
    return stepped


def descend(grad, w0, lr, steps):
    _positive(lr)
    if steps < 0:
        raise ValueError("steps must not be negative")
    kind = np.float32 if w0.dtype == np.float32 else np.float64
    path = np.zeros((steps + 1, w0.size), kind)
    path[0] = w0
    for k in range(1, steps + 1):
        path[k] = path[k - 1] - lr * grad(path[k - 1])
    return path


def _slope(A, y, theta):
    return 2 / len(y) * ((A @ theta - y) @ A)


def linreg_grad(X, y, w, b):
    A = np.hstack([X, np.ones((len(X), 1), X.dtype)])
    g = _slope(A, y, np.append(w, np.asarray(b, dtype=w.dtype if w.dtype.kind == "f" else float)))
    return g[:-1].copy(), g[-1]


def train_linear(X, y, lr, epochs, batch_size, seed):
    _positive(lr)
    if epochs < 0:
        raise ValueError("epochs must not be negative")
    if batch_size is None:
        batch_size = len(X)
    if batch_size < 1 or batch_size > len(X):
        raise ValueError("batch_size does not fit the data")
    A = np.column_stack([X, np.ones(len(X))])
    generator = np.random.Generator(np.random.Philox(seed))
    theta = np.zeros(A.shape[1])
    indices = np.arange(len(X))
    path = [theta.copy()]
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        generator.shuffle(indices)
        for batch in np.split(indices, range(batch_size, len(X), batch_size)):
            theta -= lr * _slope(A[batch], y[batch], theta)
            path.append(theta.copy())
        residual = A @ theta - y
        losses[epoch] = residual @ residual / len(y)
    return {"w": theta[:-1], "b": float(theta[-1]), "updates": len(path) - 1, "losses": losses, "path": np.array(path)}
