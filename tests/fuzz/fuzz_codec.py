"""Throw random and mutated bytes at the codec: `python tests/fuzz/fuzz_codec.py [FRAMES] [SEED]`.

Whatever comes, the answer is a value or a ProtocolError, and memory stays within bounds. docs/security.md quotes a run.
"""

import random
import resource
import struct
import sys
import time

import numpy as np

from nnkit.grader import codec
from nnkit.grader.errors import ProtocolError

SEEDS = [
    None, True, 3, -1.5, "text", b"bytes", 2**70, 1 + 2j, [1, [2, (3,)]], {"a": np.arange(5.0), (1, 2): None},
    np.zeros((3, 4), np.float32), np.ones(300), np.array([True, False]), np.float32(2.5), [[]] * 20,
    codec.tensor(np.arange(6.0).reshape(2, 3), "bfloat16"), ["value", [1.0] * 50, [[], [], [], [], False, False, None]],
    ["error", "ValueError", ["ValueError", "Exception"], "text", [["relu.py", 3, "relu", "x"]], None],
]  # fmt: skip
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0x90, 0x9F, 0xC0, 0xC4, 0xC6, 0xCA, 0xCB, 0xCF, 0xD3, 0xDB, 0xDC, 0xDD, 0xDF, 0xFF]


def frames():
    """The frames that mutation starts from, as lists of parts."""
    return [[bytes(part) for part in codec.Encoder().frame(value)] for value in SEEDS]


def mutated(parts, chance):
    """Return a frame with a few bytes wrong. Mostly the lengths still fit, so that the wrong bytes are really read."""
    kind = chance.random()
    if kind < 0.05:
        return framed(chance.randbytes(chance.randrange(200)), [])
    _start, head, *buffers = parts
    if kind < 0.8:
        return framed(scratched(head, chance), buffers)
    if kind < 0.9 and buffers:
        return framed(head, [scratched(buffer, chance) for buffer in buffers])
    return scratched(b"".join(parts), chance)


def framed(head, buffers):
    """A frame with the right lengths."""
    lengths = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
    return b"".join([struct.pack("<III", codec.MAGIC, len(head), len(buffers)), lengths, head, *buffers])


def scratched(source, chance):
    """Bytes with a few changed, added, removed or repeated."""
    data = bytearray(source)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(5)
        if kind == 0 and data:
            data[place] = chance.choice(INTERESTING)
        elif kind == 1 and data:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            data[place:place] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 3:
            del data[place : place + chance.randrange(1, 9)]
        else:
            data[place:place] = data[place : place + chance.randrange(1, 40)]
    return bytes(data)


def read(data):
    """Read one frame from bytes as the trusted side does from a socket."""
    place = 0

    def exactly(count):
        nonlocal place
        if place + count > len(data):
            raise ProtocolError("the frame ends early")
        place += count
        return data[place - count : place]

    head, buffers = codec.read_frame(exactly)
    return codec.Decoder(lambda _tag, _fields: object()).value(head, buffers)


def main(count, seed):
    """Fuzz, and print what came out."""
    chance, sources = random.Random(seed), frames()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values = refused = 0
    slowest, start = 0.0, time.perf_counter()
    for _ in range(count):
        data = mutated(chance.choice(sources), chance)
        begin = time.perf_counter()
        try:
            read(data)
            values += 1
        except ProtocolError:
            refused += 1
        slowest = max(slowest, time.perf_counter() - begin)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{count:,} frames in {time.perf_counter() - start:.0f} s: {refused:,} refused, {values:,} read as values, nothing "
        f"else raised; slowest {1000 * slowest:.1f} ms; {grown:.1f} MiB more memory at the peak"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
