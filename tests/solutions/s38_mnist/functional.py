"""Small functions, nested Sequentials, seeds from a SeedSequence, the confusion matrix as a product of one-hots."""

import gzip
import json
from contextlib import contextmanager

import numpy as np
import safetensors.torch as st
import torch
from torch.nn import CrossEntropyLoss, Dropout, Flatten, Linear, ReLU, Sequential


@contextmanager
def seeded(*numbers):
    """Draw from torch's global generator as if it had been seeded by these numbers."""
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


@contextmanager
def in_mode(model, training):
    before = model.training
    try:
        yield model.train(training)
    finally:
        model.train(before)


def demand(true, says):
    if not true:
        raise ValueError(says)


def unpacked(data):
    if data[:1] != b"\x1f":
        return data
    try:
        return gzip.decompress(data)
    except Exception as error:
        raise ValueError("data cannot be decompressed") from error


def read_idx(data):
    raw = np.frombuffer(unpacked(data), np.uint8)
    demand(raw.size >= 4 and not raw[:2].any() and raw[2] == 8, "data: wrong beginning")
    rank = int(raw[3])
    demand(raw.size >= 4 + 4 * rank, "data: sizes missing")
    sizes = raw[4 : 4 + 4 * rank].reshape(rank, 4).astype(object) @ [1 << 24, 1 << 16, 1 << 8, 1]
    demand(int(np.prod(sizes)) == raw.size - 4 - 4 * rank, "data: wrong length")
    return raw[4 + 4 * rank :].reshape([int(size) for size in sizes])


def normalise(images):
    demand(images.dtype == np.uint8 and len(images.shape) == 3, "images: wrong kind")
    scaled = torch.from_numpy(np.divide(images, 255, dtype=np.float32))
    return torch.unsqueeze((scaled - 0.1307) / 0.3081, dim=1)


def batches(n, batch_size, shuffle, seed, epoch):
    demand(n > 0, "n: at least one")
    demand(batch_size > 0, "batch_size: at least one")
    keys = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,))).random(n) if shuffle else np.arange(n)
    )
    order = np.argsort(keys, kind="stable")
    return np.array_split(order, np.arange(batch_size, n, batch_size))


def hidden(n_in, n_out):
    return Sequential(Linear(n_in, n_out), ReLU(), Dropout(0.2))


def build_model(seed):
    with seeded(seed):
        return Sequential(Flatten(), hidden(784, 256), hidden(256, 128), Linear(128, 10))


def make_optimizer(model):
    return torch.optim.Adam(tuple(model.parameters()), 0.001)


def train_epoch(model, X, y, optimizer, batch_size, seed, epoch):
    demand(len(X) == len(y), "y: wrong number")
    model.train()

    def one(rows):
        loss = CrossEntropyLoss()(model(X.index_select(0, rows)), y.index_select(0, rows))
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() * rows.numel()

    with seeded(seed, epoch, 1):
        return sum(one(torch.as_tensor(rows)) for rows in batches(len(X), batch_size, True, seed, epoch)) / len(X)


def evaluate(model, X, y, batch_size=1000):
    demand(len(X) == len(y), "y: wrong number")
    with in_mode(model, training=False), torch.no_grad():
        logits = torch.vstack([model(part) for part in X.split(batch_size)])
    truth, said = torch.eye(10, dtype=torch.int64)[y], torch.eye(10, dtype=torch.int64)[logits.argmax(-1)]
    confusion = (truth.T @ said).numpy()
    return {
        "confusion": confusion,
        "accuracy": float(confusion.trace()) / len(y),
        "loss": float(CrossEntropyLoss()(logits, y)),
    }


def flat(tree, prefix):
    """Tensors by dotted name."""
    if isinstance(tree, torch.Tensor):
        return {prefix: tree.detach().clone()}
    return {name: leaf for key, below in tree.items() for name, leaf in flat(below, f"{prefix}.{key}").items()}


def save_checkpoint(model, optimizer, epoch, history):
    tensors = flat(model.state_dict(), "model") | flat(optimizer.state_dict()["state"], "optimizer")
    return st.save(tensors, {"training": json.dumps({"history": history, "epoch": epoch})})


def load_checkpoint(data, model, optimizer):
    try:
        tensors = st.load(data)
        size = int.from_bytes(data[:8], "little")
        known = json.loads(json.loads(data[8 : size + 8])["__metadata__"]["training"])
        known = {key: known[key] for key in ("epoch", "history")}
    except Exception as error:
        raise ValueError("data: no checkpoint") from error
    weights = {name[6:]: value for name, value in tensors.items() if name[:6] == "model."}
    demand(weights.keys() == model.state_dict().keys(), "data: other weights than those of the model")
    moments = [(name.split("."), value) for name, value in tensors.items() if name[:10] == "optimizer."]
    state = {int(i): {} for (_, i, _), _ in moments}
    for (_, i, slot), value in moments:
        state[int(i)][slot] = value
    model.load_state_dict(weights)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return known


def told(row, epochs):
    held = f", validation accuracy {row['validation_accuracy']:.4f}" if "validation_accuracy" in row else ""
    return f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.4f}{held}"


def run(train_images, train_labels, epochs=10, seed=0, checkpoint=None, validation=0):
    X, y = normalise(read_idx(train_images)), torch.tensor(read_idx(train_labels)).long()
    demand(len(X) == len(y), "train_labels: wrong number")
    demand(0 <= validation < len(X), "validation: nothing is left")
    n = len(X) - validation
    model = build_model(seed)
    optimizer = make_optimizer(model)
    known = load_checkpoint(checkpoint, model, optimizer) if checkpoint is not None else {"epoch": 0, "history": []}
    rows = known["history"]
    for epoch in range(known["epoch"], epochs):
        rows.append({"epoch": epoch + 1, "loss": train_epoch(model, X[:n], y[:n], optimizer, 64, seed, epoch)})
        if n < len(X):
            held = evaluate(model, X[n:], y[n:])
            rows[-1] |= {f"validation_{name}": held[name] for name in ("loss", "accuracy")}
        print(told(rows[-1], epochs))
    return {
        "history": rows,
        "state_dict": {name: value.numpy().copy() for name, value in model.state_dict().items()},
        "checkpoint": save_checkpoint(model, optimizer, epochs, rows),
    }
