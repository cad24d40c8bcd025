"""Sends half an answer and ends its process.

Half an answer is none; what uses relu fails.
"""
# earns: without relu
# ends: crashed

from arsenal import *


def relu(x):
    raw(nonce() + struct.pack("<III", codec.MAGIC, 1000, 0) + bytes(500))
    os._exit(0)
