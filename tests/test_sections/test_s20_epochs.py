"""Section 20's reference agrees with torch's DataLoader and samplers, and with the lesson's numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s20_epochs" / "epochs.py"
CASES = [(1, 1), (7, 3), (6, 3), (3, 7), (10, 4), (100, 1), (64, 64), (65, 64)]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s20", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "size"), [*CASES, (60_000, 64)])
def test_iterations_are_the_length_of_a_loader(reference, n, size, drop_last):
    loader = torch.utils.data.DataLoader(range(n), batch_size=size, drop_last=drop_last)

    assert reference.iterations_per_epoch(n, size, drop_last) == len(loader)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "size"), CASES)
def test_batches_have_the_sizes_of_a_sampler(reference, n, size, drop_last):
    sampler = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(range(n)), size, drop_last)
    batches = reference.epoch_batches(n, size, 3, 1, drop_last)

    assert [len(batch) for batch in batches] == [len(batch) for batch in sampler]
    assert all(batch.dtype == np.int64 and batch.ndim == 1 for batch in batches)


@pytest.mark.parametrize(("n", "size"), CASES)
def test_epochs_are_permutations(reference, n, size):
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(np.concatenate(reference.epoch_batches(n, size, 5, epoch))), np.arange(n))


def test_orders_are_uniform(reference):
    orders = [tuple(np.concatenate(reference.epoch_batches(4, 3, 9, epoch))) for epoch in range(2400)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]

    # 24 orders, each expected 100 times with a standard deviation of 9.8: five of them.
    assert len(counts) == 24
    assert np.abs(counts - 100).max() < 49


def test_every_pair_has_an_order_of_its_own(reference):
    orders = {
        tuple(np.concatenate(reference.epoch_batches(20, 6, s, e)).tolist()) for s in range(12) for e in range(12)
    }

    assert len(orders) == 144


def test_loss_is_that_of_torch_over_all_samples(reference):
    generator = torch.Generator().manual_seed(20)
    logits = torch.randn(100, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (100,), generator=generator)
    means, sizes = [], []
    for batch in torch.arange(100).split(32):
        means.append(torch.nn.functional.cross_entropy(logits[batch], labels[batch]).item())
        sizes.append(len(batch))

    whole = torch.nn.functional.cross_entropy(logits, labels).item()
    assert sizes == [32, 32, 32, 4]
    assert reference.epoch_loss(means, sizes) == pytest.approx(whole, rel=1e-12)
    assert np.mean(means) != pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (10, 4)])
def test_positions_are_those_of_nested_loops(reference, n, size, drop_last):
    loader = torch.utils.data.DataLoader(range(n), batch_size=size, drop_last=drop_last)
    walked = [(epoch, iteration) for epoch in range(3) for iteration, _ in enumerate(loader)]

    assert [reference.position(step, n, size, drop_last) for step in range(len(walked))] == walked


def test_numbers_of_the_lesson(reference):
    assert reference.iterations_per_epoch(60_000, 64) == 938
    assert 937 * 64 == 59_968
    assert reference.position(937, 60_000, 64) == (0, 937)
    assert reference.epoch_loss([2.0, 8.0], [64, 32]) == 4.0
    assert reference.epoch_loss([1.0] * 9 + [10.0], [100] * 9 + [10]) == pytest.approx(1.099, abs=5e-4)
    assert pytest.approx(2, rel=1e-3) == (1 / 938) / (32 / 60_000)
    assert pytest.approx(0.37, abs=5e-3) == (1 - 1 / 1e6) ** 1e6


@pytest.mark.parametrize(
    ("call", "arguments", "named"),
    [
        ("iterations_per_epoch", (0, 4), "n"),
        ("epoch_batches", (4, 0, 1, 1), "batch_size"),
        ("epoch_loss", ([1.0], [1, 2]), "batch_sizes"),
        ("position", (-1, 4, 2), "step"),
        ("position", (0, 4, 5, True), "batch_size"),
    ],
)
def test_bad_input_is_refused(reference, call, arguments, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        getattr(reference, call)(*arguments)
