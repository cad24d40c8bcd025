"""safetensors, gzip's errors and the confusion matrix by hand; tensors only where they must be."""

import gzip
import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as fn
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(28 * 28, 256), nn.Linear(256, 128), nn.Linear(128, 10)
        self.drop = nn.Dropout(p=0.2)

    def forward(self, x):
        h = self.drop(torch.relu(self.fc1(x.flatten(1))))
        h = self.drop(torch.relu(self.fc2(h)))
        return self.fc3(h)


def read_idx(data):
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except Exception as error:
            raise ValueError("data is a gzip file that cannot be read") from error
    try:
        zero, kind, rank = struct.unpack_from(">HBB", data)
        shape = struct.unpack_from(">" + "I" * rank, data, 4)
    except struct.error:
        raise ValueError("data is too short") from None
    if zero != 0 or kind != 8 or len(data) != 4 + 4 * rank + math.prod(shape):
        raise ValueError("data is no IDX file of bytes, or has another length than it says")
    return np.array(memoryview(data)[4 + 4 * rank :], dtype=np.uint8).reshape(shape)


def normalise(images):
    if not (images.dtype == np.uint8 and images.ndim == 3):
        raise ValueError("images: uint8 (N, H, W) is wanted")
    table = torch.tensor([(value / 255 - 0.1307) / 0.3081 for value in range(256)], dtype=torch.float32)
    return table[torch.tensor(images, dtype=torch.long)][:, None]


def batches(n, batch_size, shuffle, seed, epoch):
    if n < 1:
        raise ValueError("n is too small")
    if batch_size < 1:
        raise ValueError("batch_size is too small")
    if shuffle:
        generator = torch.Generator().manual_seed((seed << 20) ^ epoch)
        order = torch.randperm(n, generator=generator).numpy()
    else:
        order = np.arange(n, dtype=np.int64)
    return [order[k * batch_size :][:batch_size] for k in range(math.ceil(n / batch_size))]


def build_model(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net()


def make_optimizer(model):
    return optim.Adam([{"params": list(model.parameters())}], lr=1e-3, betas=(0.9, 0.999), eps=1e-8)


def step(model, X, y, optimizer):
    loss = -fn.log_softmax(model(X), dim=1)[torch.arange(len(y)), y].mean()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def train_epoch(model, X, y, optimizer, batch_size, seed, epoch):
    if X.shape[0] != y.shape[0]:
        raise ValueError("y: not as many as X")
    with torch.random.fork_rng():
        torch.manual_seed((seed << 20) ^ epoch)
        model.train(True)
        parts = batches(X.shape[0], batch_size, True, seed, epoch)
        losses = [step(model, X[rows], y[rows], optimizer) for rows in parts]
    return float(np.average(losses, weights=[len(rows) for rows in parts]))


def evaluate(model, X, y, batch_size=1000):
    if X.shape[0] != y.shape[0]:
        raise ValueError("y: not as many as X")
    before, total = model.training, 0.0
    model.train(False)
    counts = [[0] * 10 for _ in range(10)]
    with torch.inference_mode():
        for rows in batches(X.shape[0], batch_size, False, 0, 0):
            logits = model(X[rows])
            total += float(fn.cross_entropy(logits, y[rows])) * len(rows)
            for truth, guess in zip(y[rows].tolist(), logits.max(1).indices.tolist(), strict=True):
                counts[truth][guess] += 1
    model.train(before)
    table = np.array(counts, dtype=np.int64)
    return {"confusion": table, "accuracy": float(np.diag(table).sum() / table.sum()), "loss": total / X.shape[0]}


NAMES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
KINDS = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def save_checkpoint(model, optimizer, epoch, history):
    tensors = [("model." + name, value) for name, value in model.state_dict().items()]
    for number, slots in optimizer.state_dict()["state"].items():
        tensors += [(f"optimizer.{number}.{slot}", value) for slot, value in slots.items()]
    header = {"__metadata__": {"training": json.dumps({"epoch": epoch, "history": history})}}
    body = b""
    for name, value in tensors:
        raw = value.detach().numpy().tobytes()
        header[name] = {
            "dtype": NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def load_checkpoint(data, model, optimizer):
    try:
        (size,) = struct.unpack_from("<Q", data)
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        training = json.loads(header.pop("__metadata__")["training"])
        epoch, history = training["epoch"], training["history"]
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            values = np.frombuffer(body[begin:end], KINDS[entry["dtype"]])
            tensors[name] = torch.tensor(values.reshape(entry["shape"]))
        weights = {name: tensors["model." + name] for name in model.state_dict()}
    except Exception as error:
        raise ValueError(f"data cannot be read as a checkpoint: {error}") from error
    state = {}
    for name, value in tensors.items():
        what, *rest = name.split(".")
        if what == "optimizer":
            state.setdefault(int(rest[0]), {}).update({rest[1]: value})
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(weights[name])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return {"history": history, "epoch": epoch}


def run(train_images, train_labels, epochs=10, seed=0, checkpoint=None, validation=0):
    images, labels = read_idx(train_images), read_idx(train_labels).astype(np.int64)
    if images.shape[0] != labels.shape[0]:
        raise ValueError("train_labels: another number than images")
    if validation not in range(images.shape[0]):
        raise ValueError("validation is out of range")
    cut = images.shape[0] - validation
    X, y, X_held, y_held = (
        normalise(images[:cut]),
        torch.tensor(labels[:cut]),
        normalise(images[cut:]),
        torch.tensor(labels[cut:]),
    )
    model = build_model(seed)
    optimizer = make_optimizer(model)
    done, history = 0, []
    if checkpoint:
        found = load_checkpoint(checkpoint, model, optimizer)
        done, history = found["epoch"], found["history"]
    while done < epochs:
        loss = train_epoch(model, X, y, optimizer, 64, seed, done)
        done += 1
        history = [*history, {"epoch": done, "loss": loss}]
        print("epoch", f"{done}/{epochs}:", "loss", f"{loss:.4f}", end="")
        if validation:
            found = evaluate(model, X_held, y_held, 500)
            history[-1].update(validation_loss=found["loss"], validation_accuracy=found["accuracy"])
            print(f", validation accuracy {found['accuracy']:.4f}", end="")
        print()
    state = {name: np.array(value) for name, value in model.state_dict().items()}
    return {"checkpoint": save_checkpoint(model, optimizer, done, history), "history": history, "state_dict": state}
