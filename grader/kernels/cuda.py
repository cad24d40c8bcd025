"""The few calls to a CUDA device that a timing needs; all else of the tier on a GPU knows a device only by these.

A worker gets this file's text beside the student's, so it imports nothing of ours. Memory crosses between processes by
CUDA's own handles: what the worker writes lies in memory of the grader's, and nothing is sent.

**No line of this file has run on a device yet** (docs/kernels.md). Tests put a stand-in of the same functions in its place.
"""

from __future__ import annotations

import ctypes
import subprocess
import time
from typing import Any

import torch

NAME = "cuda"
FLUSHED = 256 << 20  # bytes written between two calls: at least twice the second-level cache of any card so far
PRODUCT = 8192  # side of the matrices by which the device's peak is measured: milliseconds on the fastest
LASTS = 2e-3  # seconds that the reference's timed call is to take at least
WITHOUT_WAITING = 1  # cudaIpcMemLazyEnablePeerAccess, the only flag there is
FACTS = "clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_event_reasons.active"
SECONDS = 20.0  # for the tool that tells clocks


class _Handle(ctypes.Structure):
    """cudaIpcMemHandle_t, which is passed by value."""

    _fields_ = (("reserved", ctypes.c_ubyte * 64),)


class _Words:
    """Bytes on the device, as other libraries describe them to torch."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,), "typestr": "|u1", "data": (address, False), "version": 3, "strides": None,
        }  # fmt: skip


def missing() -> str:
    """Why there is no device to be used here, or ""."""
    return "" if torch.cuda.is_available() else "torch finds no CUDA device"


def name() -> str:
    """What kind of device it is: times on others are not comparable."""
    return str(torch.cuda.get_device_name())


def begin() -> None:
    """Hold what may differ from process to process: no TF32 in place of float32, cuDNN chooses by trying."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


def allocate(size: int) -> tuple[torch.Tensor, bytes]:
    """Return bytes on the device, and the handle by which another process opens them."""
    torch.cuda.init()
    place, handle = ctypes.c_void_p(), _Handle()
    _call("cudaMalloc", ctypes.byref(place), ctypes.c_size_t(size))
    _call("cudaIpcGetMemHandle", ctypes.byref(handle), place)
    assert place.value is not None
    return torch.as_tensor(_Words(place.value, size), device=NAME), bytes(handle)


def opened(handle: bytes, size: int) -> torch.Tensor:
    """Return the bytes that another process has allocated."""
    torch.cuda.init()
    place = ctypes.c_void_p()
    _call("cudaIpcOpenMemHandle", ctypes.byref(place), _Handle.from_buffer_copy(handle), ctypes.c_uint(WITHOUT_WAITING))
    assert place.value is not None
    return torch.as_tensor(_Words(place.value, size), device=NAME)


def release(words: torch.Tensor) -> None:
    """Give allocated bytes back."""
    _call("cudaFree", ctypes.c_void_p(words.data_ptr()))


def clock() -> float:
    """Seconds, by this process's clock."""
    return time.perf_counter()


def synchronize() -> None:
    """Wait for everything that this process has given the device, on every stream. Raises when its context is broken."""
    torch.cuda.synchronize()


def facts() -> str:
    """Clocks, temperature, power and why it is throttled, as the driver tells them."""
    done = subprocess.run(
        ["nvidia-smi", "-i", "0", f"--query-gpu={FACTS}", "--format=csv,noheader"],  # noqa: S607 - wherever it is
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.stdout.strip() or f"clocks are not told ({done.stderr.strip()[:100]})"


def _call(function: str, *arguments: Any) -> None:
    library = ctypes.CDLL(f"libcudart.so.{str(torch.version.cuda).partition('.')[0]}")  # the one that torch has loaded
    code = getattr(library, function)(*arguments)
    if code:
        raise RuntimeError(f"{function} failed with CUDA error {code}")
