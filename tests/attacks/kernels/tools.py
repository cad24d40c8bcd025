"""What the cheats share: an honest slow kernel, a fast one, and what a submission can get hold of."""

import typing

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# A submission may import a few modules only, but those know others.
sys = typing.sys
os, time, ctypes = (sys.modules[name] for name in ("os", "time", "ctypes"))
codec = sys.modules["nnkit.grader.codec"]


def shape(x, w):
    """Of the answer."""
    return len(x), len(w), x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1


def honest(x, w, b):
    """The convolution, at about seven times the time of the reference."""
    windows = sliding_window_view(x, w.shape[2:], axis=(2, 3))
    for _ in range(4):
        out = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) + b[:, None, None]
    return out


def fast(x, w, b):
    """The convolution, at about the time of the reference."""
    out = np.empty(shape(x, w), np.float32)
    for n, image in enumerate(x):
        windows = sliding_window_view(image, w.shape[2:], axis=(1, 2)).transpose(0, 3, 4, 1, 2)
        out[n] = (w.reshape(len(w), -1) @ windows.reshape(w[0].size, -1)).reshape(out.shape[1:])
    return out + b[:, None, None]


def later(action):
    """Start a thread."""
    return sys.modules["_thread"].start_new_thread(action, ())
