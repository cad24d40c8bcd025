"""Kernels in plain torch as a student could hand them in for a device: honest, slow, and none of torch's own."""

import math

import torch


def conv2d(x, w, b, stride=1, padding=0):
    images, filters = x.shape[0], w.shape[0]
    sizes = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    columns = torch.nn.functional.unfold(x.float(), w.shape[2:], padding=padding, stride=stride)
    y = w.float().reshape(filters, -1) @ columns + b.float()[:, None]
    return y.reshape(images, filters, *sizes).to(x.dtype)


def conv2d_backward(upstream, x, w, stride=1, padding=0):
    up = upstream.float().flatten(2)
    columns = torch.nn.functional.unfold(x.float(), w.shape[2:], padding=padding, stride=stride)
    dw = (up @ columns.mT).sum(0).reshape(w.shape)
    dx = torch.nn.functional.fold(
        w.float().reshape(w.shape[0], -1).T @ up, x.shape[2:], w.shape[2:], padding=padding, stride=stride
    )
    return dx.to(x.dtype), dw.to(x.dtype), up.sum((0, 2)).to(x.dtype)


def scores(q, k, causal):
    found = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if causal:
        seen = torch.ones(found.shape[-2:], dtype=torch.bool).tril(k.shape[-2] - q.shape[-2])
        found = found.masked_fill(~seen, -math.inf)
    return found


def flash_attention(q, k, v, causal=False, block=128):
    found = scores(q, k, causal)
    sums = found.logsumexp(-1)
    weights = torch.exp(found - sums[..., None]).to(v.dtype).float()  # as tensor cores want them
    return (weights @ v.float()).to(q.dtype), sums


def flash_attention_backward(upstream, q, k, v, out, logsumexp, causal=False, block=128):
    up, scale = upstream.float(), 1 / math.sqrt(q.shape[-1])
    weights = torch.exp(scores(q, k, causal) - logsumexp[..., None])
    pulls = (up * out.float()).sum(-1, keepdim=True)
    slopes = (weights * (up @ v.float().mT - pulls)).to(q.dtype).float()
    dv = weights.to(q.dtype).float().mT @ up
    return (
        (scale * slopes @ k.float()).to(q.dtype),
        (scale * slopes.mT @ q.float()).to(q.dtype),
        dv.to(q.dtype),
    )
