"""Another correct solution of section 11: what the stack does to 0 and to unit vectors, boolean masks, one row a call."""

import math

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    values = [math.erf(value) for value in np.ravel(x)]
    return np.array(values, dtype=np.float64).reshape(np.shape(x))


def collapse_linear(layers):
    kind = np.result_type(*(part for layer in layers for part in layer))
    kind = np.float32 if kind == np.float32 else np.float64

    def through(columns, with_bias):
        for W, b in layers:
            if W.shape[1] != columns.shape[0]:
                raise ValueError("the layers do not fit onto each other")
            columns = W @ columns
            if with_bias:
                columns = columns + b[:, None]
        return columns

    D = layers[0][0].shape[1]
    W = through(np.eye(D, dtype=kind), with_bias=False)
    b = through(np.zeros((D, 1), dtype=kind), with_bias=True)[:, 0]
    return W.astype(kind), b.astype(kind)


def _one(name, v):
    """One entry, in Python's floats."""
    if math.isnan(v) or name == "identity":
        return v
    if name == "step":
        return float(v >= 0)
    if name == "sigmoid":
        return 1 / (1 + math.exp(-v)) if v > -30 else math.exp(v)
    if name == "tanh":
        return math.tanh(v)
    if name == "relu":
        return max(v, 0.0)
    if name == "leaky_relu":
        return v if v > 0 else v / 100
    if name == "elu":
        return v if v > 0 else math.exp(v) - 1
    if name == "softplus":
        return v if v > 40 else math.log(1 + math.exp(v))
    return v * math.erfc(-v / math.sqrt(2)) / 2


def activation(name, x):
    names = ("identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu")
    if name not in names:
        raise ValueError(f"{name!r} is not the name of an activation; these are {', '.join(names)}")
    x = np.asarray(x)
    out = np.empty(x.shape, np.float32 if x.dtype == np.float32 else np.float64)
    for index in np.ndindex(x.shape):
        out[index] = _one(name, float(x[index]))
    return out


def is_affine(f, D, seed, tol=1e-6):
    rng = np.random.default_rng([seed, 7])
    answers = []
    for scale in (10, 1, 0.1):
        gaps, sizes = [], []
        for _ in range(70):
            x, y = (rng.normal(0, scale, (1, D)) for _ in range(2))
            alpha = rng.uniform(0.2, 0.8)
            mixed, fx, fy = f(alpha * x + (1 - alpha) * y), f(x), f(y)
            gaps.append(np.max(np.abs(mixed - alpha * fx - (1 - alpha) * fy)))
            sizes += [np.max(np.abs(mixed)), np.max(np.abs(fx)), np.max(np.abs(fy))]
        answers.append(max(gaps) <= tol * max(sizes) and not any(math.isnan(size) for size in sizes))
    return all(answers)


def random_feature_fit(x, y, n_hidden, name, seed):
    rng = np.random.default_rng(seed)
    low, high = min(x), max(x)
    W1, b1 = [], []
    for _ in range(n_hidden):
        w, c = 3 * rng.standard_normal(), low + (high - low) * rng.random()
        W1.append([w])
        b1.append(-w * c)
    W1, b1 = np.array(W1), np.array(b1)
    H = activation(name, x[:, None] @ W1.T + b1)
    # Centred columns: the bias is what is left of the mean.
    v = np.linalg.pinv(H - H.mean(axis=0), rcond=1e-13) @ (y - y.mean())
    b2 = y.mean() - H.mean(axis=0) @ v
    mse = sum((H @ v + b2 - y) ** 2) / len(x)
    return {"mse": mse, "layers": ((W1, b1), (v[None], np.array([b2])))}
