"""Walks up the frames that called it, to the test and its expected values.

The frames end at the worker's own loop; the honest functions earn everything.
"""
# earns: all

from arsenal import *


def relu(x):
    frame = sys._getframe()
    while frame is not None:
        if "test" in frame.f_code.co_name or "pytest" in frame.f_code.co_filename or "expected" in frame.f_locals:
            shout(f"a frame of {frame.f_code.co_filename}")
        frame = frame.f_back
    return honest.relu(x)
