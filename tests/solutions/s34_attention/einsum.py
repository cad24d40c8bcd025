"""Another correct solution: every product is an einsum, the heads have an axis of their own, positions are complex numbers."""

import numpy as np


def _weights(Q, K, mask):
    if Q.shape[-1] != K.shape[-1]:
        raise ValueError(f"Q and K must have as many columns, not {Q.shape[-1]} and {K.shape[-1]}")
    if Q.dtype != np.float32:
        Q, K = Q.astype(float), K.astype(float)
    scores = np.einsum("...ld,...sd->...ls", Q * Q.shape[-1] ** -0.5, K)
    allowed = np.broadcast_to(True if mask is None else mask, scores.shape)
    top = np.max(scores, axis=-1, keepdims=True, where=allowed, initial=np.finfo(scores.dtype).min)
    e = np.exp(scores - top, where=allowed, out=np.zeros_like(scores))
    total = e.sum(-1, keepdims=True)
    return np.divide(e, total, out=e, where=total != 0)


def attention(Q, K, V, mask=None):
    weights = _weights(Q, K, mask)
    return np.einsum("...ls,...sv->...lv", weights, V), weights


def attention_backward(upstream, Q, K, V, mask=None):
    P = _weights(Q, K, mask)
    dP = np.einsum("...lv,...sv->...ls", upstream, V)
    # The sum of P times dP over the keys is upstream times the output, summed over the features.
    out = np.einsum("...ls,...sv->...lv", P, V)
    dS = P * (dP - np.einsum("...lv,...lv->...l", upstream, out)[..., None]) * Q.shape[-1] ** -0.5
    return (
        np.einsum("...ls,...sd->...ld", dS, K),
        np.einsum("...ls,...ld->...sd", dS, Q),
        np.einsum("...ls,...lv->...sv", P, upstream),
    )


def causal_mask(L, S=None):
    if S is None:
        S = L
    if S < L:
        raise ValueError("there may not be more queries L than keys S")
    return np.arange(S) <= np.arange(S - L, S)[:, np.newaxis]


def multi_head(X, Wq, Wk, Wv, Wo, heads, mask=None):
    D = X.shape[-1]
    d, left_over = divmod(D, heads)
    if left_over:
        raise ValueError("heads has to divide the number of features")
    Q, K, V = (np.einsum("nld,hed->nhle", X, W.reshape(heads, d, D)) for W in (Wq, Wk, Wv))
    out, _ = attention(Q, K, V, None if mask is None else np.expand_dims(mask, -3))
    return np.einsum("nhle,ohe->nlo", out, Wo.reshape(D, heads, d))


def sinusoidal_positions(L, D):
    if D % 2 == 1:
        raise ValueError("D has to be even")
    frequencies = np.exp(-np.log(10000.0) * np.arange(0, D, 2) / D)
    turned = np.exp(1j * np.outer(np.arange(L), frequencies))  # cosine + i sine
    out = np.empty((L, D))
    out[:, 0::2], out[:, 1::2] = turned.imag, turned.real
    return out
