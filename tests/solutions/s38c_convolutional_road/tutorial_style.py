"""A class with its layers as attributes, loops where loops are plain, plain memory layout."""

import gzip

import numpy as np
import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

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


class Net(nn.Module):
    def __init__(self, filters, units, side):
        super().__init__()
        self.convs = nn.ModuleList()
        channels = 1
        for count in filters:
            self.convs.append(nn.Conv2d(channels, count, kernel_size=(3, 3), padding="same"))
            channels = count
            side = side // 2
        self.fc1 = nn.Linear(channels * side * side, units)
        self.fc2 = nn.Linear(units, 10)

    def maps(self, x):
        found = []
        for conv in self.convs:
            x = relu(max_pool2d(conv(x), 2))  # in this order it is the same, and less work
            found.append(x)
        return found

    def forward(self, x):
        return self.fc2(relu(self.fc1(torch.flatten(self.maps(x)[-1], start_dim=1))))


def build_model(seed, filters=(32, 64), units=128, side=28):
    if side < 2 ** len(filters):
        raise ValueError("side is too small")
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model = Net(filters, units, side)
    torch.set_rng_state(state)
    return model


def cost(filters=(32, 64), units=128, side=28):
    rows, before = [], 1
    for number, count in enumerate(filters):
        places = (side // 2**number) ** 2
        rows.append({"parameters": count * (before * 9 + 1), "products": places * count * before * 9})
        before = count
    inputs = before * (side // 2 ** len(filters)) ** 2
    rows.append({"parameters": units * (inputs + 1), "products": units * inputs})
    rows.append({"parameters": 10 * (units + 1), "products": 10 * units})
    return rows


def shifted(images, down, right):
    if len(down) != len(images):
        raise ValueError("down: one for each image")
    if len(right) != len(images):
        raise ValueError("right: one for each image")
    result = torch.full_like(images, PAPER)
    _, _, H, W = images.shape
    for n in range(len(images)):
        d, r = int(down[n]), int(right[n])
        if abs(d) < H and abs(r) < W:
            piece = images[n, :, max(-d, 0) : H - max(d, 0), max(-r, 0) : W - max(r, 0)]
            result[n, :, max(d, 0) : H + min(d, 0), max(r, 0) : W + min(r, 0)] = piece
    return result


def train_epoch(model, X, y, optimizer, batch_size, seed, epoch, shift=0):
    model.train()
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    losses = 0.0
    criterion = nn.CrossEntropyLoss(reduction="sum")
    for rows in batches(len(X), batch_size, seed, epoch):
        images, labels = X[rows], y[rows]
        if shift > 0:
            down = torch.randint(-shift, shift + 1, (len(rows),), generator=generator)
            right = torch.randint(-shift, shift + 1, (len(rows),), generator=generator)
            images = shifted(images, down, right)
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        (loss / len(rows)).backward()
        optimizer.step()
        losses += loss.item()
    return losses / len(X)


def predict(model, X, batch_size=500):
    mode = model.training
    model.eval()
    with torch.inference_mode():
        parts = [model(X[k : k + batch_size]).numpy() for k in range(0, len(X), batch_size)]
    if mode:
        model.train()
    return np.concatenate(parts)


def feature_maps(model, images):
    with torch.no_grad():
        return [found.numpy() for found in model.maps(images)]


def run(train_images, train_labels, epochs=2, seed=0, validation=0, shift=0):
    images, labels = read_idx(train_images), read_idx(train_labels)
    if len(labels) != len(images):
        raise ValueError("train_labels do not fit train_images")
    if validation < 0 or validation >= len(images):
        raise ValueError("validation leaves nothing")
    X, y = normalise(images), torch.tensor(labels, dtype=torch.int64)
    cut = len(X) - validation
    model = build_model(seed, side=images.shape[2])
    optimizer = torch.optim.Adam(model.parameters())
    history = []
    for epoch in range(1, epochs + 1):
        loss = train_epoch(model, X[:cut], y[:cut], optimizer, 64, seed, epoch - 1, shift)
        history.append({"epoch": epoch, "loss": loss})
        text = f"epoch {epoch}/{epochs}: loss {loss:.4f}"
        if validation > 0:
            guess = predict(model, X[cut:]).argmax(axis=1)
            history[-1]["validation_accuracy"] = np.mean(guess == labels[cut:]).item()
            text += f", validation accuracy {history[-1]['validation_accuracy']:.4f}"
        print(text)
    return {"history": history, "state_dict": {k: v.detach().numpy().copy() for k, v in model.state_dict().items()}}
