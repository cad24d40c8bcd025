"""Section 34: attention with masks, its gradients, several heads, and positions."""

import math

import numpy as np


def attention(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return softmax(Q K^T / sqrt(d_k)) V and the weights, where only the keys that the mask allows count."""
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError(f"K has {K.shape[-1]} features and Q has {Q.shape[-1]}; their product needs the same number")
    scores = Q @ K.swapaxes(-1, -2) / math.sqrt(Q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)  # exp(-inf) is exactly 0
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))  # -inf minus -inf would be NaN
    total = e.sum(axis=-1, keepdims=True)
    weights = e / np.where(total > 0, total, 1)  # the total is 0 only where no key is allowed
    return weights @ V, weights


def attention_backward(
    upstream: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dL/dQ, dL/dK and dL/dV for upstream = dL/d out."""
    P = attention(Q, K, V, mask)[1]
    dP = upstream @ V.swapaxes(-1, -2)
    # Through the softmax (section 14). Where P is 0, for masked keys and empty rows, nothing comes back.
    dZ = P * (dP - (P * dP).sum(axis=-1, keepdims=True)) / math.sqrt(Q.shape[-1])
    return dZ @ K, dZ.swapaxes(-1, -2) @ Q, P.swapaxes(-1, -2) @ upstream


def causal_mask(L: int, S: int | None = None) -> np.ndarray:
    """Return the (L, S) mask under which the last query sees all keys, and each one before it one key less."""
    S = L if S is None else S
    if L > S:
        raise ValueError(f"L is {L}, but {L} queries cannot be the last of {S} tokens")
    return np.tri(L, S, S - L, dtype=bool)


def multi_head(
    X: np.ndarray,
    Wq: np.ndarray,
    Wk: np.ndarray,
    Wv: np.ndarray,
    Wo: np.ndarray,
    heads: int,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return self-attention of (N, L, D) tokens, computed by several heads side by side."""
    N, L, D = X.shape
    if D % heads:
        raise ValueError(f"heads is {heads}, which does not divide {D} features")

    def split(Y: np.ndarray) -> np.ndarray:
        return Y.reshape(N, L, heads, D // heads).swapaxes(1, 2)  # (N, heads, L, d)

    if mask is not None:
        mask = mask[..., None, :, :]  # the axis of the heads
    out, _ = attention(split(X @ Wq.T), split(X @ Wk.T), split(X @ Wv.T), mask)
    return out.swapaxes(1, 2).reshape(N, L, D) @ Wo.T


def sinusoidal_positions(L: int, D: int) -> np.ndarray:
    """Return (L, D) position codes: sines in the even columns, cosines of the same angles in the odd ones."""
    if D % 2:
        raise ValueError(f"D is {D}; sines and cosines come in pairs, so it must be even")
    angles = np.arange(L)[:, None] / 10000.0 ** (np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(L, D)
