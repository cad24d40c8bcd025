"""Answers a thousand questions before they are asked.

An answer must repeat its question's random number; nothing is earned.
"""
# earns: nothing
# ends: protocol_error

from arsenal import *

frame = codec.Encoder().frame(["value", 0.0, None])
for _ in range(1000):
    raw(bytes(8) + b"".join(frame))
