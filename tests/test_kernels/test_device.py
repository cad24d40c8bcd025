"""The tier on a GPU, on a stand-in for the device: everything but the few calls of cuda.py is the real thing.

Workers are forked without isolation, so that they reach the stand-in's files; one test goes through the level gpu.
"""

import contextlib
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader.compare import Mismatch
from nnkit.grader.errors import OurFault, TooSlow
from nnkit.grader.kernels.race import ALL
from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import MissingName, Student, StudentError
from nnkit.grader.transport import Files

torch = pytest.importorskip("torch")

from nnkit.grader.kernels import cuda, tracks  # noqa: E402 - they need torch
from nnkit.grader.kernels import stage as stages  # noqa: E402 - they need torch
from nnkit.grader.kernels.gpu import DeviceKernel  # noqa: E402
from nnkit.grader.kernels.stage import Stage, files_of, our_files, own_device  # noqa: E402

HERE = Path(__file__).parent
HONEST = (HERE / "device_kernels.py").read_text()
PLENTY = Budget(300.0, 1200.0, Patience(60.0, 300.0), Patience(60.0, 300.0))
STEMS = {"29k": "conv_kernel_gpu", "34k": "flash_attention_gpu"}
FUNCTIONS = {"29k": "conv2d", "34k": "flash_attention"}


@pytest.fixture(scope="module")
def workers():
    zygote = Zygote(
        torch=True,
        modules=("ctypes", "gc", "mmap", "os", "struct", "subprocess", "sys", "tempfile", "threading"),
        level="none",
    )
    client = zygote.client()
    yield client
    client.close()
    zygote.close()


@pytest.fixture
def kernel_of(workers, device, monkeypatch):
    """Makes the fixture `gpu` for a text: `kernel_of("34k", HONEST + "...")`."""
    monkeypatch.setattr(
        stages,
        "AVAILABLE",
        (*stages.AVAILABLE, "contextlib", "gc", "mmap", "os", "struct", "sys", "tempfile", "threading"),
    )
    monkeypatch.setattr(tracks, "LAYERS", ((16, 12), (24, 7)))
    made = []

    def module(files, **options):
        made.append(Student(RemoteTransport(workers, Ceilings(8 << 30, 600), PLENTY), files, observe=False, **options))
        return made[-1]

    def make(number, text=HONEST, **options):
        theirs = files_of({f"{STEMS[number]}.py": text.encode()}, STEMS[number], number, device)
        ours = our_files(number, device)
        plain = Student(RemoteTransport(workers, Ceilings(8 << 30, 600), PLENTY), Files({}, "sub", number, ()))
        return DeviceKernel(number, plain, lambda: (module(theirs), module(ours, ours=True)), device, **options)

    yield make
    for each in made:
        each.close()
    assert {path.name for path in Path(device.FOLDER).iterdir()} <= {"time"}  # no memory of a device is kept


def wrapped(number, lines):
    """The honest kernels with lines of a cheat around the forward one; `honest` is what they call."""
    name = FUNCTIONS[number]
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"{HONEST}\nimport os, sys, threading, time\nhonest = {name}\ndef {name}(*given):\n{body}"


# Values


@pytest.mark.parametrize("number", STEMS)
@pytest.mark.parametrize("kind", tracks.KINDS)
@pytest.mark.parametrize("back", [False, True], ids=["forward", "backward"])
def test_honest_kernels_are_right(kernel_of, number, kind, back):
    """Every size, forward and backward, in every kind of number, lies within the bounds of rounding"""
    kernel_of(number).right(kind, back=back)


LESS = "rounded = lambda t: t.to(torch.{}).to(t.dtype)\n"


@pytest.mark.parametrize(
    ("number", "kind", "back", "text"),
    [
        # A kernel that computes in a lower precision than it was given
        ("29k", "float32", False, "return honest(*(t.bfloat16().float() for t in given[:3]), *given[3:])"),
        ("29k", "float32", False, "return honest(*((t.view(torch.int32) & -8192).view(torch.float32) for t in given[:3]), *given[3:])"),
        ("29k", "float16", False, "return honest(*(t.to(torch.float8_e4m3fn).to(t.dtype) for t in given[:3]), *given[3:])"),
        ("34k", "bfloat16", False, "o, s = honest(*(t.to(torch.float8_e4m3fn).to(t.dtype) for t in given[:3]), *given[3:])\nreturn o, s"),
        ("34k", "float32", False, "o, s = honest(*(t.half().float() for t in given[:3]), *given[3:])\nreturn o, s"),
        ("34k", "float32", False, "o, s = honest(*given)\nreturn o, s * (1 + 1e-4)"),
        # Right only on square masks, only on lengths of whole blocks, only without stride
        ("34k", "bfloat16", False, "q, k, v, causal = given\nf = scores(q, k, False)\nf = f.masked_fill(~torch.ones(f.shape[-2:], dtype=torch.bool).tril(), -math.inf) if causal else f\nreturn (f.softmax(-1) @ v.float()).to(q.dtype), f.logsumexp(-1)"),
        ("34k", "bfloat16", False, "o, s = honest(*given)\no[..., 64 * (o.shape[2] // 64):, :] = 0\nreturn o, s"),
        ("29k", "bfloat16", False, "return honest(*given[:4], 0)[..., : (given[0].shape[2] + 2 * given[4] - given[1].shape[2]) // given[3] + 1, :]"),
        # Scores without the largest taken off
        ("34k", "float32", False, "f = scores(*given[:2], given[3])\nreturn (f.exp() / f.exp().sum(-1, keepdim=True)) @ given[2], f.logsumexp(-1)"),
    ],
)  # fmt: skip
def test_wrong_values_are_found(kernel_of, number, kind, back, text):
    """A lower precision, another mask, a dropped tail, another padding, an overflow: each is further off than rounding"""
    with pytest.raises((Mismatch, TypeError)):
        kernel_of(number, wrapped(number, text)).right(kind, back=back)


def test_gradients_of_a_lower_precision_are_found(kernel_of):
    """Slopes that are rounded to eight bits, and a forgotten row sum"""
    for old, new in (
        ("(weights * (up @ v.float().mT - pulls)).to(q.dtype)", "(weights * (up @ v.float().mT - pulls)).to(torch.float8_e4m3fn)"),
        (" - pulls", ""),
    ):  # fmt: skip
        assert HONEST.count(old) == 1
        with pytest.raises(Mismatch, match=r"d[qk]: .* further off than rounding to bfloat16"):
            kernel_of("34k", HONEST.replace(old, new)).right("bfloat16", back=True)


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ("return honest(*given).double()", TypeError, "returned a tensor of dtype float64; expected float32"),
        ("return honest(*given)[:1]", TypeError, "returned a tensor of shape (1, 5, 7, 6); expected (2, 5, 7, 6)"),
        ("return honest(*given).to('meta')", TypeError, "returned a tensor of device meta; expected cpu"),
        ("return given[0].flatten()[:420].view(2, 5, 7, 6) if given[0].numel() >= 420 else given[0].as_strided((2, 5, 7, 6), (0, 0, 0, 0))", TypeError, "returned a view of an argument"),
        ("return honest(*given).numpy()", TypeError, "returned an object of class ndarray; expected a tensor"),
        ("return torch.nn.Parameter(honest(*given))", TypeError, "returned an object of class Parameter"),
        ("class Lazy:\n    def __torch_function__(self, *a): return honest(*given)\nreturn Lazy()", TypeError, "returned an object of class"),
        ("return honest(*given) * float('nan')", Mismatch, "conv2d is not finite; the first such value is at [0, 0, 0, 0]"),
        ("return [honest(*given), 1][:0]", TypeError, "returned too few tensors"),
        ("raise ValueError('no')", ValueError, "no"),
    ],
)  # fmt: skip
def test_bad_answers_are_told(kernel_of, lines, error, words):
    """Dtype, shape, device, a view, an array, a subclass, a lazy object, NaN, too few, an exception: a sentence each"""
    kernel = kernel_of("29k", wrapped("29k", lines))
    with pytest.raises(error) as told:
        kernel.right("float32", back=False)

    assert words in str(told.value)
    assert kernel._student.transport.ends == []


def test_what_was_not_written_in_time_is_no_answer(kernel_of):
    """Who says that it has finished, and has not, is told so; where outputs are not overwritten first, it gets through"""
    late = wrapped("29k", "sys.modules['nnkit_aboard'].Bench._put = lambda *given: None\nreturn honest(*given)")
    with pytest.raises(Mismatch, match="were not there when the kernel said that it had finished"):
        kernel_of("29k", late).right("float32", back=False)


def test_a_broken_context_ends_the_submissions_code(kernel_of):
    """An illegal access on the device is told as such; the state is crashed, and the next comparison gets a new worker"""
    breaks = "sys.modules['nnkit_device'].BROKEN = True\nreturn honest(*given)"
    kernel = kernel_of("29k", wrapped("29k", breaks))
    with pytest.raises(StudentError, match="The kernel broke its context on the device: CUDA error: an illegal"):
        kernel.right("float32", back=False)

    assert [state for state, _ in kernel._student.transport.ends] == ["crashed"]


def test_a_worker_that_dies_is_told(kernel_of):
    """Its end is the submission's"""
    kernel = kernel_of("29k", wrapped("29k", "os._exit(3)"))
    with pytest.raises(StudentError, match="It ended its own process with exit code 3"):
        kernel.right("float32", back=False)

    assert [state for state, _ in kernel._student.transport.ends] == ["crashed"]


def test_without_a_file_the_tests_fail_with_a_sentence(kernel_of):
    """Whoever grades with --gpu asks for the file"""
    kernel = kernel_of("29k", present=False)
    for ask in (
        lambda: kernel.right("float32", back=False),
        lambda: kernel.climb_track(back=False, give=lambda _: None),
    ):
        with pytest.raises(MissingName, match=r"There is no conv_kernel_gpu\.py beside the file"):
            ask()


# Speed


@pytest.mark.parametrize("number", STEMS)
@pytest.mark.parametrize("back", [False, True], ids=["forward", "backward"])
def test_an_honest_kernel_finds_its_rung(kernel_of, number, back):
    """The whole climb: as fast as torch's is honour; clocks are logged, and the words say against whom"""
    shares = []
    kernel = kernel_of(number, HONEST)
    standing = kernel.climb_track(back=back, give=shares.append)

    assert (standing.rung.name, shares[-1], round(standing.ratio, 6)) == ("honour", 1.0, 1.0)
    assert "1 times the time of torch's own" in kernel.told[0]
    assert kernel.log == ["a stand-in: before 1980 MHz, 40; after 1980 MHz, 40"]


@pytest.mark.parametrize(
    ("cost", "rung", "share"), [(0.0027, "gold", 1.0), (0.0045, "silver", 0.6), (0.012, "pass", 0.3), (0.02, None, 0.0)]
)
def test_slower_kernels_find_theirs(kernel_of, cost, rung, share):
    """Gold gives all points though honour is above it; below, a kernel gets its share and reads where it stands"""
    shares = []
    kernel = kernel_of("34k", f"{HONEST}\nCOST = {cost}\n")
    with (
        contextlib.nullcontext()
        if share == 1.0
        else pytest.raises(TooSlow, match=rf"{rung or 'below the ladder'}.*<- you are here")
    ):
        kernel.climb_track(back=False, give=shares.append)

    assert shares[-1] == share


def test_what_costs_the_same_whatever_is_computed_is_taken_off(kernel_of, device, monkeypatch):
    """Sending, waiting and copying away do not count: with ten times of that, twice as slow is twice as slow"""
    monkeypatch.setattr(device, "WAIT", 1e-3)
    kernel = kernel_of("34k", f"{HONEST}\nCOST = 0.004\n")
    with pytest.raises(TooSlow, match=r"silver: at most 2\.5 times  <- you are here"):
        kernel.climb_track(back=False, give=lambda _share: None)

    assert ": 2 times the time" in kernel.told[0]


def test_impossible_times_are_held_for_review(kernel_of, monkeypatch):
    """Faster than torch's by far, or than the device moves the data: all points, no place on the board"""
    monkeypatch.setattr(Stage, "peak", lambda _stage, _kind: (1e11, 1e4))
    kernel = kernel_of("29k")
    kernel.climb_track(back=False, give=lambda _share: None)
    assert "Held for review: it is faster than this machine moves the data" in kernel.told[0]
    kernel.enter_track(True, "29k on a GPU")
    assert kernel.board == []
    assert kernel.told[-1].startswith("Not entered: it is faster than")


def test_a_fast_kernel_is_entered_by_its_device(kernel_of, monkeypatch):
    """On the board: exercise, rung and device; below 0.8 of torch's time a person looks first"""
    monkeypatch.setattr(Stage, "peak", lambda _stage, _kind: (1e11, 1e13))
    for cost, entries in ((0.0019, [("34k on a GPU, honour, a stand-in", 0.95, "asc")]), (0.0015, [])):
        kernel = kernel_of("34k", f"{HONEST}\nCOST = {cost}\n")
        kernel.enter_track(True, "34k on a GPU")

        assert kernel.board == entries
    kernel.enter_track(False, "34k on a GPU")
    assert "set LEADERBOARD to True" in kernel.told[-1]


CACHE = """\
known = globals().setdefault("known", {})
key = given[0].shape
if key not in known: known[key] = honest(*given)
return known[key].clone()"""
HALF = "y = honest(*given)\nif len(y) > 1: y[len(y) // 2:] = 0\nreturn y"
NOTHING = "if len(given[0]) > 1: sys.modules['nnkit_aboard'].Bench._put = lambda *given: None\nreturn honest(*given)"


@pytest.mark.parametrize("lines", [CACHE, HALF, NOTHING], ids=["kept by shape", "half", "never written"])
def test_wrong_answers_that_are_timed_earn_nothing(kernel_of, lines):
    """Every timed answer is judged: kept ones, parts, and those that are never written"""
    shares = []
    with pytest.raises(Mismatch):
        kernel_of("29k", wrapped("29k", lines)).climb_track(back=False, give=shares.append)
    assert shares == [0.0]


def test_without_overwriting_outputs_an_old_answer_gets_through(kernel_of):
    """What the defence is for: who writes nothing leaves what the call before has left, right on the same inputs"""
    text = wrapped("29k", "out = honest(*given)\nreturn out") + (
        "\nfirst = True\ndef conv2d(*given):\n    global first\n    out = honest(*given)\n"
        "    if not first: sys.modules['nnkit_aboard'].Bench._put = lambda *given: None\n    first = False\n    return out\n"
    )
    for defences, ends in ((ALL, pytest.raises(Mismatch)), (replace(ALL, poisons=False), contextlib.nullcontext())):
        kernel = kernel_of("29k", text, defences=defences)
        with kernel._staged() as stage, kernel._sides() as (student, _reference):
            inputs = tracks.convolutions(back=False)[0].draw(np.random.default_rng(0), "float32", stage.ground)
            with ends:
                for _ in range(2):
                    tracks.judge(student.call(tracks.run, inputs).answer, [], inputs)


# The stage


class Busy:
    """A device whose cache takes as long to overwrite as it is told."""

    FLUSHED = 1

    def __init__(self, *seconds):
        self.now, self.seconds = 0.0, iter(seconds)

    def allocate(self, size):
        return torch.zeros(size, dtype=torch.uint8), b""

    def clock(self):
        return self.now

    def synchronize(self):
        self.now += next(self.seconds)


def test_work_that_is_left_behind_is_waited_for_and_counted():
    """A device that is still busy after an answer: the time until it is idle is the answer's; without end, it is told"""
    assert Stage(Busy(*[1.0] * 9)).rest() == 0.0
    assert Stage(Busy(*[1.0] * 8, 2.5, 2.25, 1.0)).rest() == 5.75
    with pytest.raises(StudentError, match="still at work 5 s after the answer"):
        Stage(Busy(*[1.0] * 8, *[3.0] * 9)).rest()


def test_one_comparison_at_a_time_has_the_device(monkeypatch):
    """The others wait; after a long time that is our fault, not theirs"""
    monkeypatch.setattr(stages, "QUEUE_SECONDS", 0.0)
    with own_device(), pytest.raises(OurFault, match="The device was in use by others"), own_device():
        pass
    with own_device():
        pass


def test_the_timed_sizes_keep_a_fast_device_at_work():
    """On a device of 500 TFLOP/s every timed call has operations for two milliseconds, by a power of two of images or heads"""
    for track in tracks.TRACKS.values():
        for back in (False, True):
            for question in track.timed(5e14, 2e-3, back=back):
                assert 1 <= question.flops / (tracks.HONEST * 5e14 * 2e-3) < 2


def test_the_stand_in_has_what_the_real_device_has(device):
    """Every function and number of cuda.py by name and parameters, so that what is tried here is what is called there"""
    public = {name: value for name, value in vars(cuda).items() if not name.startswith("_") and name != "annotations"}
    asked = {
        name for name, value in public.items() if getattr(value, "__module__", "") == cuda.__name__ or name.isupper()
    }
    assert {"allocate", "opened", "release", "synchronize", "clock", "facts", "begin", "missing", "name"} <= asked
    for name in asked - {"SECONDS", "WITHOUT_WAITING", "FACTS"}:  # how cuda.py does it, not what is asked of it
        mine, real = getattr(device, name), getattr(cuda, name)
        if callable(real):
            assert list(inspect.signature(mine).parameters) == list(inspect.signature(real).parameters)
        else:
            assert type(mine) is type(real)
