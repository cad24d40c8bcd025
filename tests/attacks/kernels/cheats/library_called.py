"""Calls the convolution of a library that is not in the room."""
# catalogue: 32, 33
# comes to: stopped

from tools import *


def conv2d_fast(x, w, b):
    import torch

    return torch.nn.functional.conv2d(*map(torch.from_numpy, (x, w, b))).numpy()
