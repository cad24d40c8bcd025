"""Section 29k's reference agrees with torch's convolution and its autograd, and with the lesson's own numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
OTHERS = sorted((ROOT / "tests" / "solutions" / "s29k_conv_kernel").glob("*.py"))
FILES = [ROOT / "solutions" / "s29k_conv_kernel" / "conv_kernel.py", *OTHERS]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def kernel(request):
    spec = importlib.util.spec_from_file_location(f"kernel_{request.param.stem}", request.param)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("images", "filters", "options"),
    [
        ((2, 4, 9, 7), (6, 4, 3, 2), {}),
        ((2, 4, 9, 8), (6, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
        ((1, 4, 9, 10), (8, 1, 3, 2), {"padding": 2, "dilation": 2, "groups": 4}),
        ((3, 2, 5, 6), (4, 2, 1, 1), {"stride": 3}),
        ((0, 2, 5, 6), (4, 2, 2, 2), {}),
    ],
)
def test_values_and_gradients_agree_with_torch(kernel, images, filters, options):
    """The reference, and every solution of the ladder: whatever their speed, they compute the same"""
    rng = np.random.default_rng(29)
    x, w, b = (rng.standard_normal(shape) for shape in (images, filters, filters[:1]))
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, w, b)]
    right = torch.nn.functional.conv2d(*leaves, **options)
    upstream = rng.standard_normal(right.shape)
    right.backward(torch.tensor(upstream))

    np.testing.assert_allclose(kernel.conv2d_fast(x, w, b, **options), right.detach().numpy(), rtol=1e-10, atol=1e-12)
    for mine, leaf in zip(kernel.conv2d_fast_backward(upstream, x, w, **options), leaves, strict=True):
        np.testing.assert_allclose(mine, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_lessons_numbers(kernel):
    """The filter 1 0 / 0 -1 on the numbers 1 to 9 gives -4 everywhere"""
    x, w = np.arange(1.0, 10.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, -1.0]]]])

    assert np.array_equal(kernel.conv2d_fast(x, w, np.zeros(1)), np.full((1, 1, 2, 2), -4.0))
