"""numpy sample by sample in loops; torch with the plain constructors, cast and put back afterwards."""

import math
from itertools import pairwise

import numpy as np
import torch


def _verify(layers):
    shapes = [W.shape for W, _ in layers]
    fits = all(a[0] == b[1] for a, b in pairwise(shapes))
    if not fits or any(b.shape != W.shape[:1] for W, b in layers):
        raise ValueError(f"layers have shapes {shapes}, which do not fit")


def numpy_loss_grads(X, y, layers):
    _verify(layers)
    kind = layers[0][0].dtype
    grads = [(np.zeros_like(W), np.zeros_like(b)) for W, b in layers]
    total = 0.0
    for x, label in zip(np.asarray(X), y, strict=True):
        seen = [x.astype(kind)]
        for i, (W, b) in enumerate(layers):
            z = W.dot(seen[-1]) + b
            seen.append(np.where(z > 0, z, 0).astype(kind) if i + 1 < len(layers) else z)
        z = seen.pop()
        high = float(z.max())
        log_sum = high + math.log(math.fsum(math.exp(float(value) - high) for value in z))
        total += log_sum - float(z[label])
        d = np.array([math.exp(float(value) - log_sum) for value in z])
        d[label] -= 1
        d = (d / len(y)).astype(kind)
        for i in reversed(range(len(layers))):
            grads[i][0][...] += np.outer(d, seen[i])
            grads[i][1][...] += d
            d = layers[i][0].T.dot(d) * np.sign(seen[i])
    return total / len(y), grads


def build_torch(layers):
    _verify(layers)
    state = torch.get_rng_state()
    parts = []
    for W, _ in layers:
        parts.extend((torch.nn.Linear(W.shape[1], W.shape[0]), torch.nn.ReLU()))
    torch.set_rng_state(state)
    net = torch.nn.Sequential(*parts[:-1]).to(torch.as_tensor(layers[0][0]).dtype)
    with torch.no_grad():
        for linear, (W, b) in zip(net[0::2], layers, strict=True):
            linear.weight.copy_(torch.as_tensor(W))
            linear.bias.copy_(torch.as_tensor(b))
    return net


def torch_loss_grads(X, y, layers):
    net = build_torch(layers)
    inputs = torch.as_tensor(np.array(X, dtype=layers[0][0].dtype))
    log_p = torch.log_softmax(net(inputs), dim=-1)
    loss = -log_p.gather(1, torch.as_tensor(y)[:, None]).mean()
    loss.backward()
    flat = [np.array(p.grad) for p in net.parameters()]
    return loss.item(), list(zip(flat[::2], flat[1::2], strict=True))


def to_state_dict(layers):
    return {key: value.clone() for key, value in build_torch(layers).state_dict().items()}


def from_state_dict(sd):
    table = {}
    for key, value in sd.items():
        number, _, part = key.rpartition(".")
        if not number.isdigit() or int(number) % 2 or part not in {"weight", "bias"}:
            raise ValueError(f"unexpected key {key}")
        table.setdefault(int(number), {})[part] = np.array(value)
    absent = []
    for number in range(0, max(table) + 2, 2):
        absent += [f"{number}.{part}" for part in ("weight", "bias") if part not in table.get(number, {})]
    if absent:
        raise ValueError("no " + " and no ".join(absent))
    return [(table[number]["weight"], table[number]["bias"]) for number in sorted(table)]


def train_both(X, y, layers, lr, steps):
    net, curves = build_torch(layers), ([], [])
    inputs, labels = torch.tensor(np.asarray(X, layers[0][0].dtype)), torch.tensor(y)
    for _ in range(steps):
        loss, grads = numpy_loss_grads(X, y, layers)
        layers = [tuple(a - lr * g for a, g in zip(*pair, strict=True)) for pair in zip(layers, grads, strict=True)]
        curves[0].append(loss)
        loss = torch.nn.CrossEntropyLoss()(net(inputs), labels)
        for p in net.parameters():
            p.grad = None
        loss.backward()
        for p in net.parameters():
            p.data.add_(p.grad, alpha=-lr)
        curves[1].append(loss.item())
    return tuple(np.array(curve) for curve in curves)
