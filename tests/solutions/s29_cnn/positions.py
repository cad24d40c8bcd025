"""Another correct solution of section 29: loops over the positions of the window, one small product at each."""

import numpy as np


def output_size(n: int, k: int, stride: int = 1, padding: int = 0) -> int:
    if stride < 1:
        raise ValueError(f"a stride of {stride} leads nowhere")
    count = sum(1 for start in range(-padding, n + padding - k + 1, stride))
    if not count:
        raise ValueError("no room for the kernel")
    return count


def _places(shape, kh, kw, stride):
    for i in range(output_size(shape[2], kh, stride)):
        for j in range(output_size(shape[3], kw, stride)):
            yield i, j, slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw)


def _bordered(x, w, padding):
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"channels: {x.shape[1]} in x, {w.shape[1]} in w")
    rows = np.zeros((*x.shape[:2], padding, x.shape[3]), x.dtype)
    x = np.concatenate([rows, x, rows], axis=2)
    columns = np.zeros((*x.shape[:3], padding), x.dtype)
    return np.concatenate([columns, x, columns], axis=3)


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    x = _bordered(x, w, padding)
    shape = [output_size(n, k, stride) for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    columns = w.reshape(len(w), -1).T
    out = np.empty((len(x), len(w), *shape), np.result_type(x, w, b))
    for i, j, rows, cols in _places(x.shape, *w.shape[2:], stride):
        out[:, :, i, j] = x[:, :, rows, cols].reshape(len(x), -1) @ columns + b
    return out


def conv2d_backward(
    upstream: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if conv2d(x[:, :, :, :], w, np.zeros(len(w)), stride, padding).shape != upstream.shape:
        raise ValueError("upstream has another shape than the result")
    bordered = _bordered(x, w, padding)
    flat = w.reshape(len(w), -1)
    dx, dw, db = np.zeros(bordered.shape, upstream.dtype), np.zeros_like(flat), np.zeros(len(w), w.dtype)
    for i, j, rows, cols in _places(bordered.shape, *w.shape[2:], stride):
        window, error = bordered[:, :, rows, cols], upstream[:, :, i, j]  # (N, C, kh, kw) and (N, O)
        dx[:, :, rows, cols] += (error @ flat).reshape(window.shape)
        dw += error.T @ window.reshape(len(x), -1)
        db += error.sum(axis=0)
    height, width = x.shape[2:]
    return dx[:, :, padding:, padding:][:, :, :height, :width], dw.reshape(w.shape), db


def max_pool2d(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    shape = output_size(x.shape[2], k, stride), output_size(x.shape[3], k, stride)
    out = np.empty((*x.shape[:2], *shape), x.dtype if x.dtype.kind == "f" else np.float64)
    for i, j, rows, cols in _places(x.shape, k, k, stride):
        out[:, :, i, j] = np.max(x[:, :, rows, cols], axis=(2, 3))
    return out


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, k: int, stride: int) -> np.ndarray:
    if max_pool2d(x, k, stride).shape != upstream.shape:
        raise ValueError("upstream has another shape than the result")
    dx = np.zeros(x.shape, upstream.dtype)
    for n, c in np.ndindex(x.shape[:2]):
        for i, j, rows, cols in _places(x.shape, k, k, stride):
            row, col = divmod(int(np.argmax(x[n, c, rows, cols])), k)
            dx[n, c, rows.start + row, cols.start + col] += upstream[n, c, i, j]
    return dx


def trace_cnn(input_shape: tuple[int, int, int], specs: list[dict]) -> list[dict]:
    trace = []
    shape = list(input_shape)
    for spec in specs:
        match spec:
            case {"kind": "conv", "filters": filters, "kernel": k, "stride": stride, "padding": padding} if shape[2:]:
                params = filters * (shape[0] * k * k + 1)
                shape = [filters, *(output_size(n, k, stride, padding) for n in shape[1:])]
            case {"kind": "pool", "kernel": k, "stride": stride} if shape[2:]:
                params, shape = 0, [shape[0], *(output_size(n, k, stride) for n in shape[1:])]
            case {"kind": "dense", "units": units} if len(shape) == 1:
                params, shape = units * (shape[0] + 1), [units]
            case {"kind": "flatten"}:
                size = 1
                for n in shape:
                    size *= n
                params, shape = 0, [size]
            case {"kind": "relu"}:
                params = 0
            case {"kind": kind}:
                raise ValueError(f"layer {len(trace)}: {kind} does not fit here")
        trace.append({"shape": tuple(shape), "params": params})
    return trace
