"""The tutorial's class and loop, with what was missing: seeds, DataLoader, a running confusion matrix."""

import gzip
import json
import zlib

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(
            nn.Linear(784, 256),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(128, 10),
        )

    def forward(self, x):
        return self.layers(self.flatten(x))


class Batches(Sampler):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter([part.tolist() for part in self.rows])


def read_idx(data):
    try:
        raw = gzip.decompress(data) if data.startswith(bytes([31, 139])) else data
    except (EOFError, OSError, zlib.error):
        raise ValueError("data: this gzip file is damaged") from None
    if len(raw) < 4 or raw[0] or raw[1] or raw[2] != 8:
        raise ValueError("data: no IDX file of unsigned bytes")
    numbers = np.frombuffer(raw, dtype=np.uint8)
    sizes = numbers[4 : 4 + 4 * raw[3]]
    if len(sizes) < 4 * raw[3]:
        raise ValueError("data: the sizes are cut off")
    sizes = [int(size) for size in sizes.view(">u4")]
    numbers = numbers[4 + 4 * raw[3] :]
    wanted = 1
    for size in sizes:
        wanted *= size
    if len(numbers) != wanted:
        raise ValueError(f"data: {wanted} numbers announced, {len(numbers)} there")
    return numbers.reshape(sizes).copy()


def normalise(images):
    if images.dtype != np.uint8:
        raise ValueError("images must be uint8")
    if len(images.shape) != 3:
        raise ValueError("images must have three axes")
    return torch.tensor(((images[:, np.newaxis] / 255.0 - 0.1307) / 0.3081).astype(np.float32))


def batches(n, batch_size, shuffle, seed, epoch):
    for name, value in (("n", n), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1")
    order = np.arange(n)
    if shuffle:
        np.random.Generator(np.random.Philox(key=[seed, epoch])).shuffle(order)
    return np.split(order, range(batch_size, n, batch_size))


def build_model(seed):
    before = torch.get_rng_state()
    torch.manual_seed(seed)
    model = NeuralNetwork()
    torch.set_rng_state(before)
    return model


def make_optimizer(model):
    return torch.optim.Adam(model.parameters())


def train_epoch(model, X, y, optimizer, batch_size, seed, epoch):
    if len(X) != len(y):
        raise ValueError("y and X differ in length")
    before = torch.get_rng_state()
    torch.manual_seed(hash((seed, epoch)) % 2**63)
    loss_fn = nn.CrossEntropyLoss(reduction="none")
    sampler = Batches(batches(len(X), batch_size, True, seed, epoch))
    losses = []
    model.train()
    for images, labels in DataLoader(TensorDataset(X, y), batch_sampler=sampler):
        each = loss_fn(model(images), labels)
        optimizer.zero_grad()
        each.mean().backward()
        optimizer.step()
        losses += each.tolist()
    torch.set_rng_state(before)
    return sum(losses) / len(losses)


@torch.no_grad()
def evaluate(model, X, y, batch_size=1000):
    if len(X) != len(y):
        raise ValueError("y and X differ in length")
    mode = model.training
    model.eval()
    confusion, loss = np.zeros((10, 10), dtype=np.int64), 0.0
    for images, labels in zip(X.split(batch_size), y.split(batch_size), strict=True):
        logits = model(images)
        loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        np.add.at(confusion, (labels.numpy(), logits.argmax(dim=1).numpy()), 1)
    model.train(mode)
    return {"loss": loss / len(y), "accuracy": int(confusion.trace()) / len(y), "confusion": confusion}


def save_checkpoint(model, optimizer, epoch, history):
    tensors = {}
    for name, weight in model.state_dict().items():
        tensors["model." + name] = weight.clone()
    for number, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            tensors[".".join(["optimizer", str(number), slot])] = value.clone()
    return save(tensors, metadata={"training": json.dumps({"epoch": epoch, "history": history})})


def load_checkpoint(data, model, optimizer):
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        training = json.loads(header["__metadata__"]["training"])
        result = {"epoch": training["epoch"], "history": training["history"]}
        weights = {name: tensors["model." + name] for name in model.state_dict()}
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"data is no checkpoint ({error})") from None
    known = optimizer.state_dict()
    known["state"] = {}
    for name in tensors:
        if name.startswith("optimizer"):
            number, slot = name.split(".")[1:]
            known["state"].setdefault(int(number), {})[slot] = tensors[name]
    model.load_state_dict(weights)
    optimizer.load_state_dict(known)
    return result


def run(train_images, train_labels, epochs=10, seed=0, checkpoint=None, validation=0):
    X, y = normalise(read_idx(train_images)), torch.tensor(read_idx(train_labels), dtype=torch.long)
    if len(X) != len(y):
        raise ValueError("train_labels and train_images differ in number")
    if validation < 0 or validation >= len(X):
        raise ValueError("validation leaves nothing to train on")
    split = [len(X) - validation, validation]
    (X, X_held), (y, y_held) = X.split(split), y.split(split)
    model = build_model(seed)
    optimizer = make_optimizer(model)
    state = {"epoch": 0, "history": []} if checkpoint is None else load_checkpoint(checkpoint, model, optimizer)
    history = list(state["history"])
    for epoch in range(state["epoch"], epochs):
        loss = train_epoch(model, X, y, optimizer, 64, seed, epoch)
        row, told = {"epoch": epoch + 1, "loss": loss}, f"epoch {epoch + 1}/{epochs}: loss {loss:.4f}"
        if validation > 0:
            found = evaluate(model, X_held, y_held)
            row["validation_loss"], row["validation_accuracy"] = found["loss"], found["accuracy"]
            told = f"{told}, validation accuracy {found['accuracy']:.4f}"
        history.append(row)
        print(told)
    weights = {name: weight.detach().numpy() for name, weight in model.state_dict().items()}
    return {"history": history, "state_dict": weights, "checkpoint": save_checkpoint(model, optimizer, epochs, history)}
