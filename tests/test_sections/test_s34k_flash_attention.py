"""Section 34k's reference agrees with torch's attention and autograd, and with the lesson's own numbers."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
OTHERS = sorted((ROOT / "tests" / "solutions" / "s34k_flash_attention").glob("*.py"))
FILES = [ROOT / "solutions" / "s34k_flash_attention" / "flash_attention.py", *OTHERS]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def kernel(request):
    spec = importlib.util.spec_from_file_location(f"kernel_{request.param.stem}", request.param)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lengths", "widths", "causal", "block"),
    [((7, 9), (4, 5), False, 4), ((8, 8), (4, 3), True, 3), ((5, 11), (4, 6), True, 64), ((1, 1), (3, 2), True, 2)],
)
def test_values_and_gradients_agree_with_torch(kernel, lengths, widths, causal, block):
    """The reference, and every solution of the ladder: whatever their speed and memory, they compute the same"""
    rng = np.random.default_rng(34)
    (L, S), (D, Dv) = lengths, widths
    arrays = [rng.standard_normal((2, 3, *shape)) for shape in ((L, D), (S, D), (S, Dv))]
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    mask = torch.ones(L, S, dtype=torch.bool).tril(S - L) if causal else None
    right = torch.nn.functional.scaled_dot_product_attention(*leaves, attn_mask=mask)
    upstream = rng.standard_normal(right.shape)
    right.backward(torch.tensor(upstream))
    scores = (leaves[0] @ leaves[1].transpose(-1, -2) / math.sqrt(D)).detach()
    scores = scores if mask is None else scores.masked_fill(~mask, -math.inf)

    out, logsumexp = kernel.flash_attention(*arrays, causal, block)
    np.testing.assert_allclose(out, right.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(logsumexp, torch.logsumexp(scores, -1).numpy(), rtol=1e-10, atol=1e-12)
    gradients = kernel.flash_attention_backward(upstream, *arrays, out, logsumexp, causal, block)
    for mine, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(mine, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_lessons_numbers(kernel):
    """Scores 1 and 3 with values 10 and 20 give 18.81"""
    out, logsumexp = kernel.flash_attention(
        np.ones((1, 1, 1, 1)), np.array([[[[1.0], [3.0]]]]), np.array([[[[10.0], [20.0]]]]), block=1
    )

    assert round(float(out[0, 0, 0, 0]), 2) == 18.81
    assert round(float(logsumexp[0, 0, 0]), 3) == round(math.log(math.e + math.e**3), 3)
