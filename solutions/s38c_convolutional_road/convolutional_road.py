"""Section 38c: the digits once more, with convolutions."""

import gzip

import numpy as np
import torch
from torch import nn

PAPER = -0.1307 / 0.3081  # what normalise makes of a pixel of 0
BATCH = 64


def read_idx(data: bytes) -> np.ndarray:
    """Return the array of an IDX file, packed by gzip or not (section 38; ready-made)."""
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def normalise(images: np.ndarray) -> torch.Tensor:
    """Return (x/255 - 0.1307) / 0.3081 of bytes (N, H, W) as a float32 tensor (N, 1, H, W) (section 38; ready-made)."""
    return torch.from_numpy(images.astype(np.float32)).div_(255).sub_(0.1307).div_(0.3081).unsqueeze(1)


def batches(n: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    """Return the shuffled indices of one epoch, batch by batch, the last one smaller (section 20; ready-made)."""
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return list(torch.from_numpy(order).split(batch_size))


def build_model(seed: int, filters: tuple[int, ...] = (32, 64), units: int = 128, side: int = 28) -> nn.Module:
    """Return convolution, ReLU and pooling for each number of filters, and two dense layers."""
    left = side >> len(filters)  # each pooling halves, and rounds down
    if left < 1:
        raise ValueError(f"side is {side}: nothing is left of it after {len(filters)} poolings")
    with torch.random.fork_rng(devices=[]):  # the global generator is put back at the end
        torch.manual_seed(seed)
        layers, channels = [], 1
        for count in filters:
            layers += [nn.Conv2d(channels, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = count
        layers += [nn.Flatten(), nn.Linear(channels * left**2, units), nn.ReLU(), nn.Linear(units, 10)]
        return nn.Sequential(*layers)


def cost(filters: tuple[int, ...] = (32, 64), units: int = 128, side: int = 28) -> list[dict]:
    """Return parameters and products of every layer that has weights."""
    layers, channels = [], 1
    for count in filters:
        weights = count * channels * 9
        layers.append({"parameters": weights + count, "products": weights * side**2})  # each weight at every position
        channels, side = count, side // 2
    for n_in, n_out in ((channels * side**2, units), (units, 10)):
        layers.append({"parameters": n_in * n_out + n_out, "products": n_in * n_out})
    return layers


def shifted(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return every image moved by its own number of pixels, with paper where nothing was."""
    n, _, height, width = images.shape
    for name, moves in (("down", down), ("right", right)):
        if moves.shape != (n,):
            raise ValueError(f"{name} has shape {tuple(moves.shape)} for {n} images")
    most = max([0, *down.abs().tolist(), *right.abs().tolist()])
    wide = nn.functional.pad(images, (most, most, most, most), value=PAPER)
    rows = torch.arange(height) + most - down[:, None]  # (N, H): where each row comes from
    columns = torch.arange(width) + most - right[:, None]
    moved = wide[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return moved.permute(0, 3, 1, 2).contiguous()


def train_epoch(
    model: nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    seed: int,
    epoch: int,
    shift: int = 0,
) -> float:
    """Train for one epoch on moved images and return the mean loss over the samples."""
    model.train()
    total, rng = 0.0, np.random.default_rng([seed, epoch, 1])  # not the numbers that the order was drawn from
    for rows in batches(len(X), batch_size, seed, epoch):
        images = X[rows]
        if shift:
            down, right = torch.from_numpy(rng.integers(-shift, shift, (2, len(rows)), endpoint=True))
            images = shifted(images, down, right)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(X)


def predict(model: nn.Module, X: torch.Tensor, batch_size: int = 500) -> np.ndarray:
    """Return the logits, some images at a time, and leave the model in its mode."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in X.split(batch_size)])
    model.train(was_training)
    return logits.numpy()


def feature_maps(model: nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """Return what comes out of every pooling."""
    maps = []
    with torch.no_grad():
        for layer in model:
            images = layer(images)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(images.numpy())
    return maps


def run(
    train_images: bytes, train_labels: bytes, epochs: int = 2, seed: int = 0, validation: int = 0, shift: int = 0
) -> dict:
    """Train from bytes to weights, printing one line an epoch."""
    images, labels = read_idx(train_images), read_idx(train_labels)
    if len(images) != len(labels):
        raise ValueError(f"train_labels: there are {len(labels)} for {len(images)} images")
    if not 0 <= validation < len(images):
        raise ValueError(f"validation is {validation}; of {len(images)} images some must be left to train on")
    X, y = normalise(images), torch.from_numpy(labels.astype(np.int64))
    n = len(X) - validation

    # The channels of a pixel side by side in memory: the same numbers, in two thirds of the time.
    model = build_model(seed, side=images.shape[1]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    history = []
    for epoch in range(epochs):
        row = {"epoch": epoch + 1, "loss": train_epoch(model, X[:n], y[:n], optimizer, BATCH, seed, epoch, shift)}
        line = f"epoch {epoch + 1}/{epochs}: loss {row['loss']:.4f}"
        if validation:
            row["validation_accuracy"] = float((predict(model, X[n:]).argmax(1) == labels[n:]).mean())
            line += f", validation accuracy {row['validation_accuracy']:.4f}"
        history.append(row)
        print(line, flush=True)
    return {"history": history, "state_dict": {name: value.numpy() for name, value in model.state_dict().items()}}
