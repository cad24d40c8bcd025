"""`nnkit grade --gpu` on the stand-in for a device: points, sentences and states of submissions with and without a file."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import course, grade, kernels
from nnkit.grader.errors import NoIsolation
from nnkit.grader.kernels import levels
from nnkit.grader.processes import FreshClient, Zygote
from nnkit.grader.remote import RemoteTransport
from nnkit.grader.student import Student

torch = pytest.importorskip("torch")

from nnkit.grader.kernels import gpu, stage, tracks  # noqa: E402 - they need torch

HERE = Path(__file__).parent
HONEST = (HERE / "device_kernels.py").read_text()
EXTRA = ("contextlib", "ctypes", "mmap", "os", "struct", "subprocess", "sys", "tempfile")


@pytest.fixture
def graded(device, tmp_path, monkeypatch):
    """Grades submissions of section 29k: `graded(ada=..., grace=None)` are their files for the device."""
    zygotes = [Zygote(torch=True, modules=EXTRA, level="none") for _ in range(2)]
    places = [zygote.client() for zygote in zygotes]
    ours = [place.close for place in places]
    for place in places:
        monkeypatch.setattr(place, "close", lambda: None)  # the session closes its copies by ending
    monkeypatch.setattr(stage, "AVAILABLE", (*stage.AVAILABLE, *EXTRA))
    monkeypatch.setattr(tracks, "LAYERS", ((16, 12), (24, 7)))
    monkeypatch.setattr(gpu, "clients", lambda: places)
    monkeypatch.setitem(sys.modules, "nnkit.grader.kernels.cuda", device)
    monkeypatch.setattr(kernels, "cuda", device, raising=False)
    monkeypatch.setattr(levels, "missing", lambda: dict.fromkeys(levels.LEVELS, ""))

    def run(*, wanted=True, **files):
        for who, text in files.items():
            folder = tmp_path / "handed_in" / who
            folder.mkdir(parents=True)
            (folder / "conv_kernel.py").write_text(course.section("29k").reference.read_text())
            if text is not None:
                (folder / "conv_kernel_gpu.py").write_text(text)
        done = grade.grade_folder(tmp_path / "handed_in", ["29k"], jobs=1, gpu=wanted, secret_file=tmp_path / "secret")
        return {result.submission: result for result in done.results}

    yield run
    for close in (*ours, *(zygote.close for zygote in zygotes)):
        close()


def on_a_gpu(result):
    return {test.name: test for test in result.tests if "gpu" in test.tags}


def test_the_tier_is_graded_where_it_is_asked_for(graded):
    """Right and fast: all points of the section. Broken: crashed, the other points kept. No file: told, those points gone"""
    breaks = HONEST.replace(
        "def conv2d(",
        "def conv2d(*given):\n    import sys\n    sys.modules['nnkit_device'].BROKEN = True\n\n\ndef unused(",
    )
    results = graded(ada=HONEST, grace=breaks, alan=None)

    ada, grace, alan = (results[who] for who in ("ada", "grace", "alan"))
    assert {test.status for test in on_a_gpu(ada).values()} == {"passed"}
    assert "times the time of torch's own" in on_a_gpu(ada)["test_speed_forward_on_a_gpu"].message
    assert "a stand-in: before 1980 MHz" in on_a_gpu(ada)["test_speed_forward_on_a_gpu"].message
    assert ada.isolation.endswith("+gpu")
    assert (ada.state, grace.state, alan.state) == ("graded", "crashed", "graded")
    assert "It broke its context on the device" in grace.detail
    assert "There is no conv_kernel_gpu.py" in on_a_gpu(alan)["test_values_on_a_gpu[float32]"].message
    assert alan.max_score == ada.max_score == 40
    points = sum(test.max_score for test in on_a_gpu(ada).values())
    assert 5 < points < 20
    assert ada.score - alan.score >= points * 0.6


def test_without_being_asked_for_its_points_are_those_of_the_other_levels(graded):
    """The tests are not planned, and the same sum is shared by the others"""
    result = graded(ada=HONEST, wanted=False)["ada"]

    assert on_a_gpu(result) == {}
    assert sum(test.max_score for test in result.tests) == pytest.approx(40)
    assert result.max_score == 40


def test_a_worker_at_the_level_gpu_serves(device):
    """The real level: a process of its own with files of its own, memory that it opens, an answer, the layers it stands in"""
    place = FreshClient(["numpy", "torch"], gpu.SLOTS[0])
    files = stage.files_of({"conv_kernel_gpu.py": HONEST.encode()}, "conv_kernel_gpu", "29k", device)
    files = type(files)(files.sources, files.main, files.section, (*files.available, *EXTRA))
    with contextlib.closing(place):
        module = Student(RemoteTransport(place, gpu.CEILINGS, gpu.BUDGET), files, observe=False)
        try:
            names = module._loaded()
        except NoIsolation as lacking:
            pytest.skip(str(lacking))
        assert {"open", "lay", "call", "nothing", "alive"} <= set(names)
        assert module.transport.layers[0] == "gpu"
        ((process, device.SEEN_AS),) = place._started.values()  # the one folder that both can write to
        device.FOLDER = f"/proc/{process.pid}/root{device.SEEN_AS}"
        device.TIME.clear()
        held = stage.Stage(device)
        side = stage.DeviceSide(module, held, ours=False)
        inputs = tracks.convolutions(back=False)[0].draw(np.random.default_rng(0), "bfloat16", held.ground)
        tracks.judge(side.call(tracks.run, inputs).answer, [], inputs)
        side.release()
        side.close()
        held.close()
        module.close()
