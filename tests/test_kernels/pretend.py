"""A device that is this computer's memory: the same few functions as `nnkit.grader.kernels.cuda`, for tests.

Memory is a file that two processes map. A worker gets this file's text beside the student's, as it would get cuda.py's.
Time does not pass by itself: every call of a kernel takes COST seconds of its module, two milliseconds by default, and every
wait for the device a little, so that verdicts are the same on a busy machine.
"""

import contextlib
import functools
import mmap
import os
import struct
import sys
import tempfile

import torch

NAME = "cpu"
FLUSHED = 4 << 20
PRODUCT = 256
LASTS = 2e-5
BROKEN = False  # what a kernel sets that breaks its context
FOLDER = tempfile.gettempdir()
SEEN_AS = ""  # the same folder, as a worker with a view of its own sees it
MAPPED = {}
KERNELS = ("conv_kernel_gpu", "flash_attention_gpu", "nnkit_pinned")
WAIT, COST = 1e-4, 2e-3
TIME = {}


def missing():
    return ""


def name():
    return "a stand-in"


def begin():
    torch.set_num_threads(1)
    for module in [sys.modules[name] for name in KERNELS if name in sys.modules]:
        for name in (
            "conv2d",
            "conv2d_backward",
            "flash_attention",
            "flash_attention_backward",
            "attention",
            "attention_both",
        ):
            if hasattr(module, name):
                setattr(module, name, costly(module, getattr(module, name)))


def costly(module, function):
    """The function of a kernel, which takes its time."""

    @functools.wraps(function)
    def called(*given):
        spend(getattr(module, "COST", COST))
        return function(*given)

    return called


def spend(seconds):
    """Let time pass."""
    TIME["now"][:] = struct.pack("d", clock() + seconds)


def clock():
    return struct.unpack("d", TIME["now"][:])[0]


def keep_time(folder):
    """Map the time that all processes share."""
    descriptor = os.open(f"{folder}/time", os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, 8)
    with contextlib.suppress(PermissionError):  # who made it has done so
        os.fchmod(descriptor, 0o666)
    TIME.setdefault("now", mmap.mmap(descriptor, 8))
    os.close(descriptor)


def allocate(size):
    keep_time(FOLDER)
    descriptor, path = tempfile.mkstemp(prefix="nnkit-pretend-", dir=FOLDER)
    os.ftruncate(descriptor, size)
    os.fchmod(descriptor, 0o666)
    words = _mapped(descriptor, size)
    MAPPED[words.data_ptr()] = path
    return words, f"{SEEN_AS or FOLDER}/{path.rpartition('/')[2]}".encode()


def opened(handle, size):
    keep_time(handle.decode().rpartition("/")[0])
    return _mapped(os.open(handle, os.O_RDWR), size)


def _mapped(descriptor, size):
    words = torch.frombuffer(mmap.mmap(descriptor, size), dtype=torch.uint8)
    os.close(descriptor)
    return words


def release(words):
    os.remove(MAPPED.pop(words.data_ptr()))  # noqa: PTH107 - a worker gets this text, and has no pathlib


def synchronize():
    if BROKEN:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if TIME:
        spend(WAIT)


def facts():
    return "1980 MHz, 40"
