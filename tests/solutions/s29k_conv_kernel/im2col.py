"""im2col image by image, with as_strided: each group is one matrix product."""

import numpy as np

LEADERBOARD = False


def _check(x, w, stride, padding, dilation, groups):
    if x.ndim != 4:
        raise ValueError(f"x: four axes, not {x.ndim}")
    if w.ndim != 4:
        raise ValueError(f"w: four axes, not {w.ndim}")
    if stride < 1:
        raise ValueError("stride below 1")
    if padding < 0:
        raise ValueError("padding below 0")
    if dilation < 1:
        raise ValueError("dilation below 1")
    if groups < 1 or x.shape[1] % groups or w.shape[0] % groups:
        raise ValueError("groups must divide channels and filters")
    if w.shape[1] * groups != x.shape[1]:
        raise ValueError("w: another number of channels than x")
    Ho = (x.shape[2] + 2 * padding - dilation * (w.shape[2] - 1) - 1) // stride + 1
    Wo = (x.shape[3] + 2 * padding - dilation * (w.shape[3] - 1) - 1) // stride + 1
    if Ho < 1 or Wo < 1:
        raise ValueError("w: larger than the padded image")
    return Ho, Wo


def _kinds(*arrays):
    kind = np.result_type(*arrays)
    if kind.kind != "f":
        kind = np.dtype(float)
    return kind, np.promote_types(kind, np.float32)


def _padded(x, p, inner):
    return np.pad(x.astype(inner), ((0, 0), (0, 0), (p, p), (p, p)))


def _cropped(dx, p, shape):
    return dx[:, :, p : p + shape[2], p : p + shape[3]]


def conv2d_fast(x, w, b, stride=1, padding=0, dilation=1, groups=1):
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    if b.shape != (w.shape[0],):
        raise ValueError("b: one number per filter")
    kind, inner = _kinds(x, w, b)
    (F, Cg, kh, kw), N, s, d = w.shape, len(x), stride, dilation
    X, Wt, Og = _padded(x, padding, inner), w.astype(inner), F // groups
    out = np.zeros((N, groups, Og, Ho * Wo), inner)
    _sn, sc, sh, sw = X.strides
    for n in range(N):
        windows = np.lib.stride_tricks.as_strided(
            X[n], (groups, Cg, kh, kw, Ho, Wo), (sc * Cg, sc, sh * d, sw * d, sh * s, sw * s), writeable=False
        )
        out[n] = Wt.reshape(groups, Og, -1) @ windows.reshape(groups, Cg * kh * kw, Ho * Wo)
    out = out.reshape(N, F, Ho, Wo)
    return (out + b.astype(inner)[:, None, None]).astype(kind)


def conv2d_fast_backward(upstream, x, w, stride=1, padding=0, dilation=1, groups=1):
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    (F, Cg, kh, kw), N, s, d = w.shape, len(x), stride, dilation
    if upstream.shape != (N, F, Ho, Wo):
        raise ValueError("upstream: not the shape of the output")
    kind, inner = _kinds(upstream, x, w)
    X, Wt, U, Og = _padded(x, padding, inner), w.astype(inner), upstream.astype(inner), F // groups
    dX, dW = np.zeros_like(X), np.zeros_like(Wt)
    _sn, sc, sh, sw = X.strides
    sums = np.zeros((groups, Og, Cg * kh * kw), inner)
    for n in range(N):
        windows = np.lib.stride_tricks.as_strided(
            X[n], (groups, Cg, kh, kw, Ho, Wo), (sc * Cg, sc, sh * d, sw * d, sh * s, sw * s), writeable=False
        )
        flow = U[n].reshape(groups, Og, Ho * Wo)
        sums += flow @ windows.reshape(groups, Cg * kh * kw, Ho * Wo).swapaxes(1, 2)
        steps = (Wt.reshape(groups, Og, -1).swapaxes(1, 2) @ flow).reshape(groups * Cg, kh, kw, Ho, Wo)
        for p in range(kh):
            for q in range(kw):
                dX[n, :, p * d : p * d + s * Ho : s, q * d : q * d + s * Wo : s] += steps[:, p, q]
    dW = sums.reshape(Wt.shape)
    dx = _cropped(dX, padding, x.shape)
    return tuple(np.array(g, kind) for g in (dx, dW, U.sum((0, 2, 3))))
