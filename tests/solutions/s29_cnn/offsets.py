"""Another correct solution of section 29: loops over the entries of the kernel, maxima kept while running, ties by claims."""

from math import prod

import numpy as np


def output_size(n: int, k: int, stride: int = 1, padding: int = 0) -> int:
    if stride < 1:
        raise ValueError("the stride must be 1 or more")
    last = n + padding - k  # the last place at which a window can begin; the first is -padding
    if last < -padding:
        raise ValueError("the kernel is larger than the padded image")
    return 1 + (last + padding) // stride


def _views(image, kh, kw, stride):
    """For each entry of the window, what it sees at all positions."""
    oh, ow = output_size(image.shape[2], kh, stride), output_size(image.shape[3], kw, stride)
    for i in range(kh):
        for j in range(kw):
            place = np.s_[:, :, i : i + (oh - 1) * stride + 1 : stride, j : j + (ow - 1) * stride + 1 : stride]
            yield (i, j), place


def _framed(x, w, padding):
    n, c, height, width = x.shape
    if c != w.shape[1]:
        raise ValueError("x and w have different numbers of channels")
    frame = np.zeros((n, c, height + 2 * padding, width + 2 * padding), np.result_type(x, w))
    frame[:, :, padding : padding + height, padding : padding + width] = x
    return frame


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    frame = _framed(x, w, padding)
    out = b[:, None, None]
    for (i, j), place in _views(frame, *w.shape[2:], stride):
        out = out + np.einsum("nchw,oc->nohw", frame[place], w[:, :, i, j], optimize=True)
    return out


def conv2d_backward(
    upstream: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = _framed(x, w, padding)
    dframe, dw = np.zeros_like(frame), np.zeros_like(w)
    for (i, j), place in _views(frame, *w.shape[2:], stride):
        if upstream.shape != (len(x), len(w), *frame[place].shape[2:]):
            raise ValueError("upstream must have the shape of the result of conv2d")
        dw[:, :, i, j] = np.einsum("nohw,nchw->oc", upstream, frame[place], optimize=True)
        dframe[place] += np.einsum("nohw,oc->nchw", upstream, w[:, :, i, j], optimize=True)
    inside = [slice(padding, size - padding) for size in frame.shape[2:]]
    return dframe[:, :, inside[0], inside[1]], dw, np.einsum("nohw->o", upstream)


def max_pool2d(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    best = None
    for _, place in _views(x, k, k, stride):
        best = x[place].copy() if best is None else np.maximum(best, x[place])
    return best


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, k: int, stride: int) -> np.ndarray:
    best = max_pool2d(x, k, stride)
    if best.shape != upstream.shape:
        raise ValueError("upstream must have the shape of the result of max_pool2d")
    dx, free = np.zeros(x.shape, upstream.dtype), np.ones(best.shape, bool)
    for _, place in _views(x, k, k, stride):
        mine = free & (x[place] == best)
        dx[place] += np.where(mine, upstream, 0)
        free &= ~mine
    return dx


def trace_cnn(input_shape: tuple[int, int, int], specs: list[dict]) -> list[dict]:
    trace, shape = [], tuple(input_shape)
    for spec in specs:
        shape, params = _step(shape, **spec)
        trace.append({"shape": shape, "params": params})
    return trace


def _step(shape, kind, filters=0, kernel=0, stride=1, padding=0, units=0):
    if kind == "relu":
        return shape, 0
    if kind == "flatten":
        return (prod(shape),), 0
    if kind == "dense" and len(shape) == 1:
        return (units,), units * shape[0] + units
    if kind == "pool" and len(shape) == 3:
        c, height, width = shape
        return (c, output_size(height, kernel, stride), output_size(width, kernel, stride)), 0
    if kind == "conv" and len(shape) == 3:
        c, height, width = shape
        sides = output_size(height, kernel, stride, padding), output_size(width, kernel, stride, padding)
        return (filters, *sides), filters * c * kernel * kernel + filters
    raise ValueError(f"a layer of the kind {kind} cannot stand after the shape {shape}")
