"""Answers the next question beforehand with the number of the last one.

An answer must repeat its own question's number; what uses relu fails.
"""
# earns: less
# ends: protocol_error

from arsenal import *


def relu(x):
    old = nonce()
    frame = codec.Encoder().frame(["value", np.zeros(3), None])
    sys.modules["threading"].Timer(0.001, lambda: [raw(old + b"".join(map(bytes, frame))) for _ in range(50)]).start()
    time.sleep(0.01)
    return honest.relu(x)
