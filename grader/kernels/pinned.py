"""What kernels on a device are compared with: torch's own, each backend chosen by name, so that no version changes it.

A worker gets this file's text, so it imports nothing of ours.
"""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import conv2d as library_conv2d
from torch.nn.functional import scaled_dot_product_attention


def conv2d(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
    """Return the convolution, by cuDNN on a GPU."""
    return library_conv2d(x, w, b, stride, padding)


def conv2d_backward(
    upstream: torch.Tensor, x: torch.Tensor, w: torch.Tensor, stride: int, padding: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (dx, dw, db), by cuDNN on a GPU."""
    found = torch.ops.aten.convolution_backward(
        upstream, x, w, [w.shape[0]], [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, [True] * 3
    )
    dx, dw, db = found
    return dx, dw, db


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Return attention, by the flash backend; by the memory-efficient one for float32, which that lacks on a GPU."""
    whole = q.is_cuda and q.dtype == torch.float32
    with sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION if whole else SDPBackend.FLASH_ATTENTION):
        return scaled_dot_product_attention(q, k, v, is_causal=causal)


def attention_both(
    upstream: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool
) -> tuple[torch.Tensor, ...]:
    """Return (out, dq, dk, dv)."""
    q, k, v = (tensor.detach().requires_grad_() for tensor in (q, k, v))
    with torch.enable_grad():
        out = attention(q, k, v, causal)
        return (out.detach(), *torch.autograd.grad(out, (q, k, v), upstream))
