"""Another correct solution: one matrix at a time, rows without keys sorted out first, heads as slices, math.sin by hand."""

import math

import numpy as np


def _tables(shape):
    return np.ndindex(shape[:-2])


def attention(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K: its last axis must be as long as that of Q")
    dtype = np.float32 if Q.dtype == np.float32 else np.float64
    Q, K, V = Q.astype(dtype), K.astype(dtype), V.astype(dtype)
    shape = (*Q.shape[:-1], K.shape[-2])
    allowed = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)
    weights = np.zeros(shape, dtype)
    out = np.zeros((*Q.shape[:-1], V.shape[-1]), dtype)
    root = float(np.sqrt(Q.shape[-1]))
    for place in _tables(shape):
        rows = allowed[place].any(axis=1)
        if not rows.any():
            continue
        scores = np.dot(Q[place][rows], K[place].T) / root
        scores[~allowed[place][rows]] = -np.inf
        scores -= scores.max(axis=1)[:, None]
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1)[:, None]
        weights[place][rows] = scores
        out[place] = np.dot(weights[place], V[place])
    return out, weights


def attention_backward(upstream, Q, K, V, mask=None):
    _, weights = attention(Q, K, V, mask)
    gradients = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for place in _tables(Q.shape):
        dQ, dK, dV = (gradient[place] for gradient in gradients)
        for i, p in enumerate(weights[place]):
            u = upstream[place][i]
            dV += np.outer(p, u)
            dp = V[place] @ u
            # The whole Jacobian of this row's softmax.
            ds = (np.diag(p) - np.outer(p, p)) @ dp / float(np.sqrt(Q.shape[-1]))
            dQ[i] = ds @ K[place]
            dK += np.outer(ds, Q[place][i])
    return gradients


def causal_mask(L, S=None):
    if S is None:
        return causal_mask(L, L)
    if L > S:
        raise ValueError("L must not be above S")
    mask = np.zeros((L, S), dtype=np.bool_)
    for row in range(L):
        mask[L - 1 - row, : S - row] = True
    return mask


def multi_head(X, Wq, Wk, Wv, Wo, heads, mask=None):
    if X.shape[2] % heads != 0:
        raise ValueError("heads must divide D")
    d = X.shape[2] // heads
    parts = []
    for j in range(heads):
        mine = slice(j * d, (j + 1) * d)
        out, _ = attention(X @ Wq[mine].T, X @ Wk[mine].T, X @ Wv[mine].T, mask)
        parts.append(out)
    return np.concatenate(parts, axis=2) @ Wo.T


def sinusoidal_positions(L, D):
    if D % 2:
        raise ValueError("D must be even")
    rows = []
    for p in range(L):
        row = []
        for i in range(D // 2):
            angle = p / math.pow(10000, 2 * i / D)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return np.array(rows)
