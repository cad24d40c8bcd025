"""Leaf tensors and functions instead of modules, wherever the task leaves the choice."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def chain(layers):
    width = None
    for W, b in layers:
        if width not in (None, W.shape[1]) or len(b) != len(W):
            raise ValueError("the widths of layers do not chain")
        width = len(W)


def numpy_loss_grads(X, y, layers):
    chain(layers)
    dtype = layers[0][0].dtype
    outputs = [np.array(X).astype(dtype)]
    for W, b in layers[:-1]:
        outputs.append((outputs[-1] @ W.T + b).clip(min=0))
    W, b = layers[-1]
    logits = outputs[-1] @ W.T + b
    top = logits.max(axis=1)
    sums = np.log(np.sum(np.exp(logits - top[:, None]), axis=1)) + top
    n = len(y)
    loss = np.mean(sums - logits[range(n), y])
    onehot = np.eye(len(b), dtype=dtype)[y]
    back = (np.exp(logits - sums[:, None]) - onehot) / dtype.type(n)
    grads = [None] * len(layers)
    for i in range(len(layers) - 1, -1, -1):
        grads[i] = (back.T @ outputs[i], back.sum(0))
        if i:
            back = back @ layers[i][0]
            back[outputs[i] == 0] = 0
    return loss, grads


def build_torch(layers):
    chain(layers)
    net = nn.Sequential()
    with torch.random.fork_rng():
        for i, (W, b) in enumerate(layers):
            if i:
                net.append(nn.ReLU())
            linear = nn.Linear(*W.T.shape)
            linear.weight = nn.Parameter(torch.tensor(W))
            linear.bias = nn.Parameter(torch.tensor(b))
            net.append(linear)
    return net


def leaves(layers):
    return [tuple(torch.tensor(array, requires_grad=True) for array in layer) for layer in layers]


def loss_of(X, y, tensors):
    hidden = torch.tensor(X).to(tensors[0][0].dtype)
    for W, b in tensors[:-1]:
        hidden = functional.relu(hidden @ W.T + b)
    W, b = tensors[-1]
    return functional.cross_entropy(functional.linear(hidden, W, b), torch.as_tensor(y))


def torch_loss_grads(X, y, layers):
    chain(layers)
    tensors = leaves(layers)
    loss = loss_of(X, y, tensors)
    loss.backward()
    return float(loss), [(W.grad.numpy(), b.grad.numpy()) for W, b in tensors]


def to_state_dict(layers):
    chain(layers)
    names = [f"{2 * i}.{part}" for i in range(len(layers)) for part in ("weight", "bias")]
    return dict(zip(names, [torch.from_numpy(a).clone() for layer in layers for a in layer], strict=True))


def from_state_dict(sd):
    rest = dict(sd)
    count = 1 + max(int(key.split(".")[0]) if key.split(".")[0].isdigit() else 0 for key in sd)
    layers = []
    for i in range(0, count, 2):
        try:
            layers.append((rest.pop(f"{i}.weight").numpy().copy(), rest.pop(f"{i}.bias").numpy().copy()))
        except KeyError as error:
            absent = [f"{j}.{part}" for j in range(0, count, 2) for part in ("weight", "bias")]
            raise ValueError(
                f"missing: {[k for k in absent if k not in sd]}; odd: {[k for k in sd if k not in absent]}"
            ) from error
    if rest:
        raise ValueError("unexpected: " + ", ".join(rest))
    return layers


def train_both(X, y, layers, lr, steps):
    chain(layers)
    mine = [(W.copy(), b.copy()) for W, b in layers]
    first = []
    for _ in range(steps):
        loss, grads = numpy_loss_grads(X, y, mine)
        first.append(loss)
        for pair, slopes in zip(mine, grads, strict=True):
            for array, slope in zip(pair, slopes, strict=True):
                np.subtract(array, lr * slope, out=array)
    tensors, second = leaves(layers), []
    for _ in range(steps):
        loss = loss_of(X, y, tensors)
        loss.backward()
        second.append(loss.item())
        for layer in tensors:
            for p in layer:
                p.data = p.data - lr * p.grad
                p.grad = None
    return np.array(first), np.array(second)
