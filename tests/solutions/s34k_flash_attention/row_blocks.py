"""Blocks of queries against all keys: the square never stands in memory, a band of it does."""

import numpy as np

LEADERBOARD = False


def _check(q, k, v, causal, block):
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim != 4:
            raise ValueError(f"{name}: four axes, not {array.ndim}")
    if q.shape[:2] != k.shape[:2] or q.shape[3] != k.shape[3]:
        raise ValueError("k: does not fit q")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError("v: does not fit k")
    if causal and k.shape[2] < q.shape[2]:
        raise ValueError("causal: fewer keys than queries")
    if block < 1:
        raise ValueError("block: below 1")


def _kinds(*arrays):
    kind = np.result_type(*arrays)
    if kind.kind != "f":
        kind = np.dtype(float)
    return kind, np.promote_types(kind, np.float32)


def flash_attention(q, k, v, causal=False, block=256):
    _check(q, k, v, causal, block)
    kind, inner = _kinds(q, k, v)
    Q, K, V = (array.astype(inner) for array in (q, k, v))
    (B, H, L, D), (S, Dv) = Q.shape, V.shape[2:]
    scale = inner.type(1 / np.sqrt(D))
    out, lse = np.zeros((B, H, L, Dv), inner), np.zeros((B, H, L), inner)
    for head in np.ndindex(B, H):
        for row in range(0, L, 64):
            part = slice(row, min(row + 64, L))
            scores = Q[head][part] * scale @ K[head].T
            if causal:
                scores[np.arange(S) > np.arange(L)[part, None] + S - L] = -np.inf
            top = scores.max(-1, keepdims=True)
            weights = np.exp(scores - top)
            total = weights.sum(-1, keepdims=True)
            out[head][part], lse[head][part] = weights @ V[head] / total, (top + np.log(total))[:, 0]
    return out.astype(kind), lse


def flash_attention_backward(upstream, q, k, v, out, logsumexp, causal=False, block=256):
    _check(q, k, v, causal, block)
    for name, array, shape in (
        ("upstream", upstream, q.shape[:3] + v.shape[3:]),
        ("out", out, q.shape[:3] + v.shape[3:]),
        ("logsumexp", logsumexp, q.shape[:3]),
    ):
        if array.shape != shape:
            raise ValueError(f"{name}: not of shape {shape}")
    kind, inner = _kinds(q, k, v)
    U, Q, K, V, R, lse = (array.astype(inner) for array in (upstream, q, k, v, out, logsumexp))
    (B, H, L, D), (S, _Dv) = Q.shape, V.shape[2:]
    scale = inner.type(1 / np.sqrt(D))
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    pull = (U * R).sum(-1)
    for head in np.ndindex(B, H):
        for row in range(0, L, 64):
            part = slice(row, min(row + 64, L))
            scores = Q[head][part] * scale @ K[head].T
            if causal:
                scores[np.arange(S) > np.arange(L)[part, None] + S - L] = -np.inf
            weights = np.exp(scores - lse[head][part, None])
            slopes = weights * (U[head][part] @ V[head].T - pull[head][part, None]) * scale
            dV[head] += weights.T @ U[head][part]
            dQ[head][part] = slopes @ K[head]
            dK[head] += slopes.T @ Q[head][part]
    return dQ.astype(kind), dK.astype(kind), dV.astype(kind)
