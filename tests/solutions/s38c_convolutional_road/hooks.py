"""Nested Sequentials, hooks for what happens inside, costs read off a built network, moves by one roll and a frame."""

import gzip
from itertools import pairwise

import numpy as np
import torch
from torch.nn import Conv2d, CrossEntropyLoss, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential

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


def build_model(seed, filters=(32, 64), units=128, side=28):
    left = side
    for _ in filters:
        left //= 2
    if not left:
        raise ValueError("side: nothing left")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed + 12345)
        blocks = [Sequential(Conv2d(i, o, 3, 1, 1), MaxPool2d(2, 2), ReLU()) for i, o in pairwise([1, *filters])]
        head = Sequential(Flatten(), Linear(left * left * filters[-1], units), ReLU(), Linear(units, 10))
        return Sequential(*blocks, head)


def watched(model, kind, image):
    """The outputs of all layers of a kind, in the order in which they come."""
    found = []
    chosen = [layer for layer in model.modules() if isinstance(layer, kind)]
    hooks = [each.register_forward_hook(lambda layer, _, out: found.append((layer, out.detach()))) for each in chosen]
    try:
        with torch.no_grad():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def cost(filters=(32, 64), units=128, side=28):
    model = build_model(0, filters, units, side)
    rows = []
    for layer, out in watched(model, (Conv2d, Linear), torch.zeros(1, 1, side, side)):
        places = out[0, 0].numel() if out.dim() == 4 else 1
        count = sum(parameter.numel() for parameter in layer.parameters())
        rows.append({"parameters": count, "products": layer.weight.numel() * places})
    return rows


def shifted(images, down, right):
    if down.numel() != len(images):
        raise ValueError("down: wrong number")
    if right.numel() != len(images):
        raise ValueError("right: wrong number")
    H, W = images.shape[2:]
    moved = []
    for image, d, r in zip(images, down.tolist(), right.tolist(), strict=True):
        frame = image.new_full((image.shape[0], 3 * H, 3 * W), PAPER)
        frame[:, H : 2 * H, W : 2 * W] = image
        top, left = H - max(-H, min(H, d)), W - max(-W, min(W, r))
        moved.append(frame[:, top : top + H, left : left + W])
    return torch.stack(moved)


def train_epoch(model: Module, X, y, optimizer, batch_size, seed, epoch, shift=0):
    model.train()
    draw = np.random.RandomState([seed, epoch, 99])
    total = []
    for rows in batches(len(X), batch_size, seed, epoch):
        images = X.index_select(0, rows)
        if shift:
            down, right = (torch.as_tensor(draw.choice(np.arange(-shift, shift + 1), len(rows))) for _ in "dr")
            images = shifted(images, down, right)
        optimizer.zero_grad(set_to_none=False)
        loss = CrossEntropyLoss()(model(images), y.index_select(0, rows))
        loss.backward()
        optimizer.step()
        total.append(float(loss.detach()) * len(rows))
    return sum(total) / y.numel()


def predict(model, X, batch_size=500):
    was = {layer: layer.training for layer in model.modules()}
    model.train(mode=False)
    with torch.no_grad():
        found = [model(X[k : k + batch_size]) for k in range(0, len(X), batch_size)]
    for layer, mode in was.items():
        layer.training = mode
    return torch.cat(found, 0).cpu().numpy()


def feature_maps(model, images):
    # ReLU behind the pooling: of the four-dimensional outputs of ReLUs these are the ones
    return [out.numpy() for _, out in watched(model, ReLU, images) if out.dim() == 4]


def run(train_images, train_labels, epochs=2, seed=0, validation=0, shift=0):
    images, labels = read_idx(train_images), torch.as_tensor(read_idx(train_labels).astype("int64"))
    if len(images) - len(labels):
        raise ValueError("train_labels: another number than images")
    if validation not in range(len(images)):
        raise ValueError("validation: too many or too few")
    X = normalise(images)
    parts = [len(X) - validation, validation]
    (X, held), (y, answers) = X.split(parts), labels.split(parts)
    model = build_model(seed, side=X.size(-1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    history = []
    for epoch in range(epochs):
        history.append({"epoch": epoch + 1, "loss": train_epoch(model, X, y, optimizer, 64, seed, epoch, shift)})
        if validation:
            right = torch.from_numpy(predict(model, held)).argmax(1).eq(answers)
            history[-1]["validation_accuracy"] = right.double().mean().item()
        shown = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in history[-1].items() if name != "epoch"]
        print(f"epoch {epoch + 1}/{epochs}: {', '.join(shown)}")
    return {"history": history, "state_dict": {name: p.detach().numpy() for name, p in model.named_parameters()}}
