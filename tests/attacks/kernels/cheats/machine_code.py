"""Loads machine code of its own into memory."""
# catalogue: 20, 36
# comes to: stopped

from tools import *


def conv2d_fast(x, w, b):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    place = libc.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, 0)
    if place in (None, ctypes.c_void_p(-1).value):
        raise OSError("no memory that can be run")
    return ctypes.CFUNCTYPE(ctypes.c_long)(place)()
