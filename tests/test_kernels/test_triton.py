"""The references for a GPU: right under Triton's interpreter, and compiled without spills for GPUs that are not here."""

import importlib.util
import math

import pytest

from nnkit.grader import course
from nnkit.grader.errors import AskedWrongly
from nnkit.grader.kernels import aot, levels

needs_triton = pytest.mark.skipif(bool(levels.without_triton()), reason=levels.without_triton())


def load(number, monkeypatch, *, interpreted):
    section = course.section(number)
    path = section.reference.with_name(f"{section.slug}_gpu.py")
    monkeypatch.setenv("TRITON_INTERPRET", "1" if interpreted else "0")
    spec = importlib.util.spec_from_file_location(f"gpu_{number}_{interpreted}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_triton
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float16"])  # the interpreter has no products of bfloat16
@pytest.mark.parametrize(
    ("lengths", "widths", "causal", "block"),
    [
        ((37, 50), (8, 5), False, 32),
        ((33, 33), (16, 16), True, 32),
        ((20, 41), (24, 16), True, 16),
        ((1, 1), (4, 4), False, 64),
    ],
)
def test_attention_under_the_interpreter(monkeypatch, lengths, widths, causal, block, dtype):
    """Forward and backward agree with autograd of the formula in float64 on the rounded inputs; no block divides the lengths"""
    torch = pytest.importorskip("torch")
    kernel = load("34k", monkeypatch, interpreted=True)
    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    (L, S), (D, Dv) = lengths, widths
    q, k, v = (torch.randn(1, 2, *shape).to(kind) for shape in ((L, D), (S, D), (S, Dv)))
    upstream = torch.randn(1, 2, L, Dv).to(kind)
    leaves = [array.double().requires_grad_() for array in (q, k, v)]
    scores = leaves[0] @ leaves[1].transpose(-1, -2) / math.sqrt(D)
    if causal:
        scores = scores.masked_fill(~torch.ones(L, S, dtype=torch.bool).tril(S - L), -math.inf)
    right = scores.softmax(-1) @ leaves[2]
    right.backward(upstream.double())

    out, logsumexp = kernel.flash_attention(q, k, v, causal, block)
    gradients = kernel.flash_attention_backward(upstream, q, k, v, out, logsumexp, causal, block)

    # float32: sums of 50 terms; float16: rounded weights and results of size 4.
    atol = 1e-5 if dtype == "float32" else 1e-2
    assert out.dtype == kind
    assert (out.double() - right).abs().max() < atol
    assert (logsumexp.double() - torch.logsumexp(scores, -1)).abs().max() < 1e-5
    for mine, leaf in zip(gradients, leaves, strict=True):
        assert mine.dtype == kind
        assert (mine.double() - leaf.grad).abs().max() < atol


@needs_triton
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("images", "filters", "stride", "padding", "last"),
    [
        ((2, 3, 9, 7), (5, 3, 3, 2), 1, 0, False),
        ((1, 4, 8, 9), (20, 4, 3, 3), 2, 1, True),
        ((2, 5, 6, 7), (3, 5, 1, 1), 3, 2, False),
    ],
)
def test_convolution_under_the_interpreter(monkeypatch, images, filters, stride, padding, last, dtype):
    """Forward and backward agree with torch in float64 on the rounded inputs, also where channels come last"""
    torch = pytest.importorskip("torch")
    kernel = load("29k", monkeypatch, interpreted=True)
    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    x, w, b = (torch.randn(shape).to(kind) for shape in (images, filters, filters[:1]))
    x = x.to(memory_format=torch.channels_last) if last else x
    leaves = [array.double().requires_grad_() for array in (x, w, b)]
    right = torch.nn.functional.conv2d(*leaves, stride, padding)
    upstream = torch.randn(right.shape).to(kind)
    right.backward(upstream.double())

    yours = kernel.conv2d(x, w, b, stride, padding)
    gradients = kernel.conv2d_backward(upstream, x, w, stride, padding)

    # Sums of at most 180 products, of size 40 at most; float16 is rounded once.
    atol = 1e-4 if dtype == "float32" else 3e-2
    assert yours.dtype == kind
    assert (yours.double() - right).abs().max() < atol
    for mine, leaf in zip(gradients, leaves, strict=True):
        assert (mine.double() - leaf.grad).abs().max() < atol


def compiled_attention(kernel, name, width, capability):
    function = getattr(kernel, name)
    rows = 128 if name == "forward_tile" else 64
    constants = {
        "D": width, "DV": width, "WIDTH": width, "WIDTH_V": width, "ROWS": rows, "COLUMNS": 64, "CAUSAL": True
    }  # fmt: skip
    kinds = {"scale": "fp32", "heads": "i32", "L": "i32", "S": "i32", "Lse": "*fp32", "Pull": "*fp32"}
    types = {arg: kinds.get(arg, "*bf16") for arg in function.arg_names}
    pointers = [arg for arg in function.arg_names if arg not in constants and types[arg].startswith("*")]
    stages = 3 if name == "forward_tile" else 2
    return aot.compiled(
        function, types, constants, capability, warps=kernel._warps(width, width), stages=stages, aligned=pointers
    )


@pytest.mark.benchmark
@needs_triton
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("name", ["forward_tile", "backward_keys", "backward_queries"])
def test_attention_compiles_without_spills(monkeypatch, name, width, capability, capsys):
    """For A100 and H100, bfloat16: on tensor cores, with asynchronous copies, nothing spilled, shared memory that there is"""
    found = compiled_attention(load("34k", monkeypatch, interpreted=False), name, width, capability)
    with capsys.disabled():
        print(f"\n{found}")

    assert found.spilled == 0
    assert found.tensor_cores > 0
    assert found.asynchronous > 0
    assert found.shared <= {80: 163, 90: 227}[capability] << 10


@pytest.mark.benchmark
@needs_triton
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("name", ["forward_tile", "images_tile", "filters_tile"])
def test_convolution_compiles_without_spills(monkeypatch, name, capability, capsys):
    """The same for 3 x 3 filters, channels last"""
    function = getattr(load("29k", monkeypatch, interpreted=False), name)
    constants = {"KH": 3, "KW": 3, "ROWS": 64 if name == "filters_tile" else 128, "COLUMNS": 64, "DEPTH": 32}
    constants |= {arg: 1 for arg in ("xc", "uc", "yc") if arg in function.arg_names}
    pointers = {"X": "*bf16", "W": "*bf16", "Bias": "*bf16", "Y": "*bf16", "Up": "*bf16", "dX": "*bf16", "dW": "*fp32"}
    types = {arg: pointers.get(arg, "i32") for arg in function.arg_names}
    aligned = [arg for arg in function.arg_names if arg in pointers or arg in ("C", "F") or arg[0] in "xuy"]
    found = aot.compiled(
        function, types, constants, capability, warps=4, stages=3, aligned=set(aligned) - set(constants)
    )
    with capsys.disabled():
        print(f"\n{found}")

    assert found.spilled == 0
    assert found.tensor_cores > 0
    assert found.asynchronous > 0


def test_without_triton_there_is_a_clear_word(monkeypatch):
    """Nothing fails in a traceback where triton is not installed"""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert "pip install triton" in levels.without_triton()
    with pytest.raises(AskedWrongly, match="Nothing can be compiled here: triton is not installed"):
        aot.compiled(None, {}, {}, 90, warps=4, stages=2)


def test_levels_are_told_with_reasons(monkeypatch, tmp_path):
    """Every level is named; one that cannot be had says why, and that it costs nothing"""
    monkeypatch.setattr(levels, "DRIVER", tmp_path / "none")
    told = levels.told()

    assert [line.partition(":")[0] for line in told[:-1]] == list(levels.LEVELS)
    assert "gpu-time: skipped (no CUDA device: no NVIDIA driver is loaded)" in told
    assert "costs no points" in told[-1]


def test_a_level_that_is_required_is_not_skipped_in_silence(monkeypatch, tmp_path):
    """NNKIT_REQUIRE turns a skip into an error, and a misspelt name too"""
    monkeypatch.setattr(levels, "DRIVER", tmp_path / "none")
    levels.needs({})
    levels.needs({"NNKIT_REQUIRE": "cpu-time,memory"})

    with pytest.raises(AskedWrongly, match="asks for gpu-time, which cannot be had here: no CUDA device"):
        levels.needs({"NNKIT_REQUIRE": "cpu-time, gpu-time"})
    with pytest.raises(AskedWrongly, match="names 'gpu'; there are cpu-time"):
        levels.needs({"NNKIT_REQUIRE": "gpu"})
