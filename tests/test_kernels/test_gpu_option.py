"""`--gpu` and NNKIT_REQUIRE: what of kernels a machine can grade is told, and a silent skip can be made an error."""

import sys

import pytest

from nnkit import cli
from nnkit.grader.kernels import levels


@pytest.fixture
def nnkit(small_course, tmp_path, monkeypatch, capsys):
    """The command in a folder with the section's stub fetched, on a machine without a GPU."""
    monkeypatch.setattr(levels, "DRIVER", tmp_path / "none")
    monkeypatch.delenv("NNKIT_REQUIRE", raising=False)
    (tmp_path / "ada").mkdir()
    monkeypatch.chdir(tmp_path / "ada")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, capsys.readouterr()

    run("fetch", "13")
    return run


def test_levels_are_told_beside_the_result(nnkit):
    """With --gpu every level is named on standard error; the check itself is as ever"""
    code, printed = nnkit("check", "13", "--gpu")

    assert code == 1
    assert "gpu-time: skipped (no CUDA device: no NVIDIA driver is loaded)" in printed.err
    assert "What is skipped costs no points" in printed.err
    assert "Section 13" in printed.out
    assert "gpu-time" not in nnkit("check", "13")[1].err


def test_what_is_required_must_be_there(nnkit, monkeypatch, tmp_path):
    """A machine that is meant to grade on a GPU, and has none, refuses to check and to grade"""
    monkeypatch.setenv("NNKIT_REQUIRE", "gpu-time")
    for arguments in (("check", "13"), ("grade", str(tmp_path / "ada"))):
        code, printed = nnkit(*arguments)

        assert code == 2
        assert "NNKIT_REQUIRE asks for gpu-time, which cannot be had here" in printed.err


def test_what_is_required_must_be_asked_for(nnkit, monkeypatch):
    """With a device there, and required, leaving out --gpu would skip it in silence: refused. With --gpu all is well"""
    monkeypatch.setattr(levels, "missing", lambda: dict.fromkeys(levels.LEVELS, ""))
    monkeypatch.setenv("NNKIT_REQUIRE", "cpu-time, gpu-time")
    code, printed = nnkit("check", "13")

    assert code == 2
    assert "NNKIT_REQUIRE asks for gpu-time; give --gpu, or it would be skipped." in printed.err
    assert nnkit("check", "13", "--gpu")[0] == 1
    monkeypatch.setenv("NNKIT_REQUIRE", "cpu-time")
    assert nnkit("check", "13")[0] == 1
