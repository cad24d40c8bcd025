"""Convolutions as matrix products of windows, pooling as a maximum over axes, parameters of our own, moves by masks."""

import gzip
import math

import numpy as np
import torch
from torch import nn

PAPER = -0.1307 / 0.3081


def read_idx(data):
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def normalise(images):
    return torch.from_numpy(images.astype(np.float32)).div_(255).sub_(0.1307).div_(0.3081).unsqueeze(1)


def batches(n, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return list(torch.from_numpy(order).split(batch_size))


def drawn(shape, generator):
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    return nn.Parameter((torch.rand(shape, generator=generator) * 2 - 1) * bound)


class Hand(nn.Module):
    def __init__(self, shapes, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterList([drawn(shape, generator) for shape in shapes])
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(shape[0])) for shape in shapes])

    def stages(self, x):
        for w, b in zip(self.weights[:-2], self.biases[:-2], strict=True):
            n, _, height, width = x.shape
            windows = nn.functional.unfold(x, 3, padding=1)  # (n, C 9, H W)
            x = (w.flatten(1) @ windows + b[:, None]).clamp_min(0).view(n, -1, height, width)
            x = x[:, :, : height // 2 * 2, : width // 2 * 2]
            x = x.reshape(n, -1, height // 2, 2, width // 2, 2).amax((3, 5))
            yield x

    def forward(self, x):
        *_, x = self.stages(x)
        (W1, W2), (b1, b2) = self.weights[-2:], self.biases[-2:]
        return (x.flatten(1) @ W1.T + b1).clamp_min(0) @ W2.T + b2


def shapes_of(filters, units, side):
    channels = [1, *filters]
    left = side // 2 ** len(filters)
    return [
        *((o, i, 3, 3) for i, o in zip(channels, filters, strict=False)),
        (units, channels[-1] * left**2),
        (10, units),
    ]


def build_model(seed, filters=(32, 64), units=128, side=28):
    if side // 2 ** len(filters) == 0:
        raise ValueError(f"side {side}")
    return Hand(shapes_of(filters, units, side), seed)


def cost(filters=(32, 64), units=128, side=28):
    rows = []
    for number, shape in enumerate(shapes_of(filters, units, side)):
        places = (side >> number) ** 2 if len(shape) == 4 else 1
        rows.append({"parameters": math.prod(shape) + shape[0], "products": math.prod(shape) * places})
    return rows


def shifted(images, down, right):
    n, _, height, width = images.shape
    for name, moves in {"down": down, "right": right}.items():
        if len(moves) != n:
            raise ValueError(name)
    rows = torch.arange(height)[None] - down[:, None]
    columns = torch.arange(width)[None] - right[:, None]
    there = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    picked = torch.take_along_dim(images, rows.clamp(0, height - 1)[:, None, :, None], 2)
    picked = torch.take_along_dim(picked, columns.clamp(0, width - 1)[:, None, None, :], 3)
    return torch.where(there[:, None], picked, PAPER)


def train_epoch(model, X, y, optimizer, batch_size, seed, epoch, shift=0):
    moves = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, 7)))
    steps = moves.integers(0, 2 * shift + 1, (len(X), 2)) - shift
    steps = torch.from_numpy(steps)
    model.train(True)
    seen = torch.zeros((), dtype=torch.float64)
    for rows in batches(len(X), batch_size, seed, epoch):
        images = X[rows] if shift == 0 else shifted(X[rows], steps[rows, 0], steps[rows, 1])
        log_p = model(images).log_softmax(1)
        losses = -log_p[torch.arange(len(rows)), y[rows]]
        model.zero_grad()
        losses.mean().backward()
        optimizer.step()
        seen += losses.detach().double().sum()
    return float(seen) / len(X)


@torch.no_grad()
def predict(model, X, batch_size=500):
    before = model.training
    try:
        model.eval()
        return np.vstack([model(part) for part in torch.split(X, batch_size)])
    finally:
        model.train(before)


def feature_maps(model, images):
    return [stage.detach().numpy() for stage in model.stages(images)]


def run(train_images, train_labels, epochs=2, seed=0, validation=0, shift=0):
    X, labels = normalise(read_idx(train_images)), read_idx(train_labels).astype(np.int64)
    if len(X) != len(labels):
        raise ValueError("train_labels")
    if not -1 < validation < len(X):
        raise ValueError("validation")
    y, n = torch.from_numpy(labels), len(X) - validation
    model = build_model(seed, side=X.shape[-1])
    optimizer = torch.optim.Adam(list(model.parameters()), lr=1e-3)
    rows = []
    for epoch in range(epochs):
        row = {"epoch": 1 + epoch, "loss": train_epoch(model, X[:n], y[:n], optimizer, 64, seed, epoch, shift)}
        rows.append(row)
        line = "epoch {}/{}: loss {:.4f}".format(epoch + 1, epochs, row["loss"])
        if validation:
            row["validation_accuracy"] = int((predict(model, X[n:]).argmax(-1) == labels[n:]).sum()) / validation
            line += ", validation accuracy {:.4f}".format(row["validation_accuracy"])
        print(line)
    return {"history": rows, "state_dict": {name: np.array(value) for name, value in model.state_dict().items()}}
