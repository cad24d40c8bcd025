"""Another correct solution: the order by sorting random keys, gradients as means of one gradient for each sample."""

from itertools import accumulate

import numpy as np


def gd_step(params, grads, lr):
    if lr <= 0:
        raise ValueError("lr: greater than 0, please")
    return list(map(lambda p, g: p + -lr * g, params, grads))


def descend(grad, w0, lr, steps):
    if lr <= 0:
        raise ValueError("lr: greater than 0, please")
    if steps < 0:
        raise ValueError("steps: 0 or more, please")
    start = np.array(w0, dtype=np.result_type(w0, np.float32) if w0.dtype.kind == "f" else float)
    return np.stack(list(accumulate(range(steps), lambda w, _: gd_step([w], [grad(w)], lr)[0], initial=start)))


def linreg_grad(X, y, w, b):
    residual = (X * w).sum(axis=1) - y + b
    each = 2 * residual[:, None] * X
    return each.mean(axis=0), float((2 * residual).mean())


def train_linear(X, y, lr, epochs, batch_size, seed):
    n, d = X.shape
    batch_size = n if batch_size is None else batch_size
    if lr <= 0:
        raise ValueError("lr: greater than 0, please")
    if epochs < 0:
        raise ValueError("epochs: 0 or more, please")
    if not 0 < batch_size <= n:
        raise ValueError("batch_size: 1 to N, please")
    children = np.random.SeedSequence(seed).spawn(epochs)
    per_epoch = (n + batch_size - 1) // batch_size
    path = np.zeros((epochs * per_epoch + 1, d + 1))
    losses = np.empty(epochs)
    k = 0
    for epoch, child in enumerate(children):
        order = np.argsort(np.random.default_rng(child).random(n))
        X_mixed, y_mixed = X[order], y[order]
        for i in range(per_epoch):
            part = slice(i * batch_size, (i + 1) * batch_size)
            dw, db = linreg_grad(X_mixed[part], y_mixed[part], path[k, :-1], path[k, -1])
            path[k + 1, :-1] = path[k, :-1] - lr * dw
            path[k + 1, -1] = path[k, -1] - lr * db
            k += 1
        losses[epoch] = np.square(X @ path[k, :-1] + path[k, -1] - y).mean()
    return {"w": path[k, :-1].copy(), "b": float(path[k, -1]), "updates": k, "losses": losses, "path": path}
