"""torch.autograd.grad and functional_call; numpy by recursion."""

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.func import functional_call


def fitting(layers):
    ok = all(W.ndim == 2 and b.ndim == 1 and W.shape[0] == b.size for W, b in layers)
    ok = ok and all(before[0].shape[0] == after[0].shape[1] for before, after in pairwise(layers))
    if not ok:
        raise ValueError("layers: widths do not chain")
    return layers


def go(A, y, layers):
    """Return loss, gradients from here on, and the gradient for A."""
    (W, b), *rest = layers
    Z = np.einsum("nd,hd->nh", A, W) + b
    if rest:
        loss, grads, upstream = go(np.maximum(Z, 0), y, rest)
        upstream = np.where(Z > 0, upstream, 0).astype(Z.dtype)
    else:
        log_sum = np.logaddexp.reduce(Z, axis=1, keepdims=True)
        loss = float((log_sum[:, 0] - np.take_along_axis(Z, y[:, None], 1)[:, 0]).mean())
        grads, upstream = [], np.exp(Z - log_sum)
        np.subtract.at(upstream, (np.arange(len(y)), y), 1)
        upstream = upstream / len(y)
    return loss, [(np.einsum("nh,nd->hd", upstream, A), np.ones(len(A), Z.dtype) @ upstream), *grads], upstream @ W


def numpy_loss_grads(X, y, layers):
    fitting(layers)
    return go(X.astype(layers[0][0].dtype), y, layers)[:2]


def build_torch(layers):
    fitting(layers)
    linears = []
    for W, b in layers:
        linear = nn.Linear(W.shape[1], W.shape[0], device="meta").to_empty(device="cpu")
        linear.weight.data, linear.bias.data = torch.tensor(W), torch.tensor(b)
        linears += [linear, nn.ReLU(inplace=True)]
    del linears[-1]
    return nn.Sequential(*linears)


def torch_loss(net, X, y, tensors):
    X = torch.from_numpy(X.astype(tensors["0.weight"].detach().numpy().dtype))
    return nn.functional.cross_entropy(functional_call(net, tensors, (X,)), torch.from_numpy(y))


def torch_loss_grads(X, y, layers):
    net = build_torch(layers)
    tensors = dict(net.named_parameters())
    loss = torch_loss(net, X, y, tensors)
    grads = dict(zip(tensors, torch.autograd.grad(loss, list(tensors.values())), strict=True))
    return loss.detach().numpy(), from_state_dict(grads)


def to_state_dict(layers):
    fitting(layers)
    sd = {}
    for i, layer in enumerate(layers):
        sd.update(zip((f"{2 * i}.weight", f"{2 * i}.bias"), map(torch.tensor, layer), strict=True))
    return sd


def from_state_dict(sd):
    good = {f"{i}.{part}" for i in range(0, 2 * len(sd) + 2, 2) for part in ("weight", "bias")}
    wrong = sorted(set(sd) - good)
    need = {f"{i}.{part}" for i in range(0, 2 * ((len(sd) + 1) // 2), 2) for part in ("weight", "bias")}
    top = max((int(key.partition(".")[0]) for key in set(sd) & good), default=0)
    need |= {f"{i}.{part}" for i in range(0, top + 2, 2) for part in ("weight", "bias") if i <= top}
    wrong += sorted(need - set(sd))
    if wrong:
        raise ValueError(f"keys {wrong} are unexpected or missing")
    return [(sd[f"{i}.weight"].numpy(force=True).copy(), sd[f"{i}.bias"].clone().numpy()) for i in range(0, top + 1, 2)]


def train_both(X, y, layers, lr, steps):
    net = build_torch(layers)
    tensors = {key: value.detach().requires_grad_() for key, value in net.named_parameters()}
    by_numpy, by_torch = [], []
    descend = partial(np.subtract)
    for _ in range(steps):
        loss, grads = numpy_loss_grads(X, y, layers)
        by_numpy.append(loss)
        layers = [(descend(W, lr * dW), descend(b, lr * db)) for (W, b), (dW, db) in zip(layers, grads, strict=True)]
        loss = torch_loss(net, X, y, tensors)
        by_torch.append(float(loss))
        grads = torch.autograd.grad(loss, list(tensors.values()))
        tensors = {k: (v - lr * g).detach().requires_grad_() for (k, v), g in zip(tensors.items(), grads, strict=True)}
    return np.array(by_numpy), np.array(by_torch)
