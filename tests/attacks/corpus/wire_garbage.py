"""Answers with bytes that are no frame.

The worker is ended; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    raw(nonce() + b"\xff" * 64)
