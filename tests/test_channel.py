"""Bytes through a socket, in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.grader import channel


def arriving(data, pieces):
    """A `fill` that delivers `data` in pieces of these sizes, then all that fits, then the end of the channel."""
    sizes, left = iter(pieces), memoryview(data)

    def fill(places):
        nonlocal left
        most = next(sizes, len(data))
        taken = 0
        for place in places:
            piece = left[: min(len(place), most - taken)]
            place[: len(piece)] = piece
            left = left[len(piece) :]
            taken += len(piece)
        if not taken:
            raise EOFError
        return taken

    return fill


@given(st.lists(st.integers(0, 6000), max_size=8), st.lists(st.integers(1, 5000), max_size=12), st.integers(0, 9000))
def test_every_byte_is_read_once_and_in_order(counts, pieces, further):
    """Whatever the sizes asked for and the pieces that arrive; what came too early is known as such"""
    data = bytes(place * 7 % 251 for place in range(sum(counts) + further))
    read = channel.ReadAhead(arriving(data, pieces))
    found = [read(count) for count in counts]

    assert b"".join(found) == data[: sum(counts)]
    assert [len(part) for part in found] == counts
    assert 0 <= read.ahead <= min(further, channel.AHEAD)


def test_the_end_is_told():
    """An end of the channel in the middle of a message is an error of `fill`"""
    with pytest.raises(EOFError):
        channel.ReadAhead(arriving(b"1234567", []))(8)


def test_small_messages_take_one_reading():
    """A message in several parts that arrives whole is read at once"""
    calls = []
    deliver = arriving(b"x" * 300, [])

    def fill(places):
        calls.append(len(places))
        return deliver(places)

    read = channel.ReadAhead(fill)
    for count in (8, 12, 80, 200):
        read(count)

    assert (len(calls), read.ahead) == (1, 0)


@given(st.lists(st.binary(max_size=50), max_size=200), st.integers(1, 300))
def test_every_part_is_written(parts, most):
    """However little is sent at once, and empty parts between"""
    sent = bytearray()

    def send(views):
        assert len(views) <= channel.PARTS_AT_ONCE
        piece = b"".join(views)[:most]
        sent.extend(piece)
        return len(piece)

    channel.write(parts, send)

    assert bytes(sent) == b"".join(parts)
