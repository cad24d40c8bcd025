"""Sends once more the greeting of a new worker, which says which layers it stands in.

A greeting answers no question; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    raw(b"".join(codec.Encoder().frame(["hello", ["everything"]])))
