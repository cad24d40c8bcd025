"""Sends an answer by itself, with the right nonce, before it has computed anything."""
# catalogue: 10, 40, prototype 3
# comes to: wrong or stopped

from tools import *


def conv2d_fast(x, w, b):
    frame = sys._getframe()
    while "nonce" not in frame.f_locals:
        frame = frame.f_back
    parts = codec.Encoder().frame(["value", np.zeros(shape(x, w), np.float32), None])
    for part in [frame.f_locals["nonce"], *parts]:
        os.write(3, bytes(part))
    return honest(x, w, b)
