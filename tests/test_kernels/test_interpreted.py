"""A student's file for a GPU is run under Triton's interpreter, in a process of the level gpu, by option only."""

import numpy as np
import pytest

from nnkit.grader import course
from nnkit.grader.errors import AskedWrongly, NoIsolation
from nnkit.grader.kernels import aot, interpreted, levels

needs_triton = pytest.mark.skipif(bool(levels.without_triton()), reason=levels.without_triton())


def handed_in(folder, number, change=lambda text: text):
    """The references of a track as a student's two files."""
    section = course.section(number)
    for name in (section.reference.name, f"{section.slug}_gpu.py"):
        (folder / name).write_text(change(section.reference.with_name(name).read_text()))
    return folder / section.reference.name


def examined(file, number):
    try:
        return interpreted.examine(file, interpreted.questions_of(number))
    except NoIsolation as lacking:
        pytest.skip(str(lacking))


@needs_triton
@pytest.mark.benchmark  # it starts torch and Triton and interprets every instruction: half a minute
@pytest.mark.parametrize(("number", "name"), [("29k", "conv2d"), ("34k", "flash_attention")])
def test_right_and_wrong_files_are_told_apart(tmp_path, number, name):
    """The reference is right in float32 and float16; with a sum that forgets what it had, it is wrong, and says where"""
    lines = examined(handed_in(tmp_path, number), number)
    assert lines == [f"triton-interpret: {name}, {kind}: right" for kind in ("float32", "float16")]

    wrong = examined(handed_in(tmp_path, number, lambda text: text.replace(", sums)", ", sums * 0)")), number)
    assert any("values differ" in line for line in wrong)


def test_without_a_file_it_is_skipped_with_the_reason(tmp_path, monkeypatch):
    """The file for a GPU is optional, and so is triton"""
    monkeypatch.setattr(interpreted, "without_triton", lambda: "")
    lines = interpreted.examine(tmp_path / "relu.py", interpreted.attentions)
    assert lines == ["triton-interpret: skipped (there is no relu_gpu.py beside relu.py)"]
    monkeypatch.setattr(interpreted, "without_triton", lambda: "no triton")
    assert interpreted.examine(tmp_path / "relu.py", interpreted.attentions) == [
        "triton-interpret: skipped (no triton)"
    ]


@pytest.mark.parametrize("number", ["29k", "34k"])
def test_what_is_asked_agrees_with_the_numpy_reference(number):
    """The values that a file for a GPU is held to are those of the reference for the CPU"""
    import importlib.util

    spec = importlib.util.spec_from_file_location(f"cpu_{number}", course.section(number).reference)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for question in interpreted.questions_of(number)(np.random.default_rng(1)):
        function = reference.conv2d_fast if number == "29k" else reference.flash_attention
        found = function(*question.tensors, *question.others)
        for mine, right in zip(found if isinstance(found, tuple) else (found,), question.right, strict=True):
            np.testing.assert_allclose(mine, right, rtol=1e-10, atol=1e-12)


def test_other_sections_have_no_part_for_a_gpu():
    """Asked for, that is told"""
    with pytest.raises(AskedWrongly, match="Section 13 has no part for a GPU; 29k and 34k have one"):
        interpreted.questions_of("13")


@needs_triton
@pytest.mark.benchmark  # a compiler for two kinds of GPU: a minute
@pytest.mark.parametrize(
    ("number", "kernels"),
    [
        ("29k", {"forward_tile", "images_tile", "filters_tile"}),
        ("34k", {"forward_tile", "row_sums", "backward_keys", "backward_queries"}),
    ],
)
def test_a_students_kernels_are_compiled(tmp_path, number, kernels):
    """Every kernel that is launched, for two kinds of GPU: registers, spills, shared memory, tensor cores"""
    try:
        lines = aot.examine(handed_in(tmp_path, number), number)
    except NoIsolation as lacking:
        pytest.skip(str(lacking))
    for name in kernels:
        for capability in aot.CAPABILITIES:
            (line,) = (each for each in lines if f" {name}, sm_{capability}: " in each)
            assert "nothing spilled" in line
            assert name == "row_sums" or " 0 tensor-core" not in line


@needs_triton
@pytest.mark.benchmark
def test_what_does_not_compile_is_told(tmp_path):
    """A wrong name in a kernel, and no kernel at all: a line each"""
    file = handed_in(tmp_path, "29k", lambda text: text.replace("tl.program_id(0) * ROWS", "nobody * ROWS"))
    try:
        lines = aot.examine(file, "29k")
    except NoIsolation as lacking:
        pytest.skip(str(lacking))
    assert all("nobody is not defined" in line for line in lines)
    (tmp_path / "conv_kernel_gpu.py").write_text(
        "import triton\ndef conv2d(*given): return given[0]\nconv2d_backward = conv2d\n"
    )
    assert all("no kernel of Triton's is launched" in line for line in aot.examine(file, "29k"))


def test_compiling_is_skipped_with_the_reason(tmp_path, monkeypatch):
    """Without a file, or without triton"""
    monkeypatch.setattr(aot, "without_triton", lambda: "")
    assert aot.examine(tmp_path / "relu.py", "29k") == [
        "triton-compile: skipped (there is no relu_gpu.py beside relu.py)"
    ]
    monkeypatch.setattr(aot, "without_triton", lambda: "no triton")
    assert aot.examine(tmp_path / "relu.py", "29k") == ["triton-compile: skipped (no triton)"]
