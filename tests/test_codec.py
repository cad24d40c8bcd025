"""Plain data crosses as it is, everything else is refused with a reason, and no bytes whatever do more than that."""

import enum
import math
import struct
import sys
import tracemalloc
from collections import OrderedDict, namedtuple

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from nnkit.grader import codec
from nnkit.grader.errors import ProtocolError

PLAIN_DTYPES = list(codec.DTYPES.values())


def reader(raw):
    """Reads a frame's bytes as a socket would give them."""
    left = memoryview(bytes(raw))

    def read(count):
        nonlocal left
        if count > len(left):
            raise EOFError
        piece, left = left[:count], left[count:]
        return bytearray(piece)

    return read


def frame(value, hand_over=None):
    return b"".join(bytes(part) for part in codec.Encoder(hand_over).frame(value))


def through(value, **options):
    """A value after a way over the wire."""
    return codec.Decoder(**options).value(*codec.read_frame(reader(frame(value))))


def decoded(tree, buffers=()):
    """What a decoder makes of a head that no encoder of ours made."""
    return codec.Decoder().value(msgspec.msgpack.encode(tree), buffers)


def identical(one, other):
    """The same types and bits all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            identical(a, b) for pair in zip(one.items(), other.items(), strict=True) for a, b in zip(*pair, strict=True)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(identical(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return identical(one.real, other.real) and identical(one.imag, other.imag)
    return one == other


# What crosses

arrays = nps.arrays(st.sampled_from(PLAIN_DTYPES), nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
scalars = st.sampled_from(PLAIN_DTYPES).flatmap(lambda dtype: nps.arrays(dtype, ())).map(lambda array: array[()])
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.binary(max_size=40), arrays, scalars,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(-(2**4095), 2**4095),
)  # fmt: skip
keys = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.binary(max_size=5),
    st.tuples(st.integers(), st.text(max_size=2)),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(keys, inner, max_size=5),
    ),
    max_leaves=20,
)


@settings(max_examples=120, deadline=None)
@given(values)
def test_plain_data_arrive_as_they_were(value):
    """Types, bits, shapes and order survive the way over the wire"""
    assert identical(value, through(value))


@pytest.mark.parametrize("dtype", PLAIN_DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3), (40, 40)], ids=str)
def test_arrays_of_every_plain_dtype_cross(dtype, shape):
    """Small arrays travel in the head, large ones behind it; empty and 0-dimensional ones keep their shape"""
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)

    assert identical(array, through(array))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(2000.0).astype(">f8"),
        np.arange(2000, dtype=np.dtype(">i4"))[::3],
        np.asfortranarray(np.arange(600.0).reshape(20, 30)),
        np.arange(600.0).reshape(20, 30)[::-1, ::2],
        np.broadcast_to(np.float32(2.5), (30, 40)),
        np.arange(5, dtype=np.longlong),
    ],
    ids=["other byte order", "strided", "Fortran order", "reversed", "broadcast", "long long"],
)
def test_the_layout_of_memory_does_not_cross(array):
    """Values and shape arrive, in native order; how they lay in memory is nobody's business"""
    arrived = through(array)

    np.testing.assert_array_equal(arrived, array)
    assert arrived.dtype == array.dtype.newbyteorder("=")
    assert arrived.flags.c_contiguous


def test_what_arrives_has_memory_of_its_own():
    """An array that arrived may be written to, without an effect on what was sent"""
    small, large = np.zeros(3), np.zeros(1000)

    first, second = through([small, large])
    first[0] = second[0] = 1.0

    assert small[0] == large[0] == 0.0


@pytest.mark.parametrize(("take", "shared"), [(True, True), (False, False)])
def test_a_large_array_may_keep_the_memory_it_came_in(take, shared):
    """A bytearray is the array's from then on, where the decoder may take it; it can be written to either way"""
    _, head, data = codec.Encoder().frame(np.zeros(1000))
    raw = bytearray(data)

    array = codec.Decoder(take=take).value(head, [raw])
    array[0] = 1

    assert np.shares_memory(array, np.frombuffer(raw, np.uint8)) is shared


def test_nobody_elses_memory_is_taken():
    """An array of the sender's, or bytes that were kept, stay as they were"""
    sent = np.zeros(1000)
    _, head, data = codec.Encoder().frame(sent)
    for raw in (data, bytes(data)):
        array = codec.Decoder().value(head, [raw])
        array[0] = 1

    assert not sent.any()


Pair = namedtuple("Pair", "x y")  # noqa: PYI024 - subclasses of tuple are what is asked here


class Colour(enum.IntEnum):
    RED = 3


class Mine(np.ndarray):
    @property
    def shape(self):
        raise RuntimeError


class Loud(str):
    __slots__ = ()

    def __str__(self):
        return "!"


class Liar(complex):
    real = property(lambda self: "no number")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (OrderedDict(a=1), {"a": 1}),
        (Pair(1, 2.0), (1, 2.0)),
        (Colour.RED, 3),
        (Loud("soft"), "soft"),
        (bytearray(b"xy"), b"xy"),
        (np.float64(2.5), np.float64(2.5)),
        (np.ones(2).view(Mine), np.ones(2)),
        (np.ma.array([1.0, 2.0], mask=[True, False]), np.array([1.0, 2.0])),
        (np.str_("text"), "text"),
        (np.bytes_(b"xy"), b"xy"),
        (Liar(1, 2), 1 + 2j),
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclasses_cross_as_their_base(value, base):
    """What a subclass adds or overrides stays where it is"""
    assert identical(through(value), base)


def test_half_a_surrogate_becomes_a_question_mark():
    """Text that is no text in UTF-8 crosses all the same"""
    assert through("a\ud800b") == "a?b"


# What does not cross

loop: list = []
loop.append(loop)
deep: list = []
for _ in range(40):
    deep = [deep]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (loop, "nested more than 32 deep"),
        (deep, "nested more than 32 deep"),
        (object(), "object of class object"),
        ({1, 2}, "object of class set"),
        (np.array([None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.array([1], "M8[s]"), "dtype datetime64"),
        (np.zeros(2, "f8,i4"), "dtype"),
        (np.zeros(2, np.longdouble), "dtype"),
        (np.longdouble(1), "scalar of dtype"),
        (np.datetime64("2020-01-01"), "scalar of dtype"),
        (1 << 5000, "a whole number of 5,001 bits"),
        ([0] * 200_001, "more than 200,000 entries"),
        ([[0] * 1000] * 201, "more than 200,000 entries"),
        ([np.zeros(0)] * 150_000, "more than 200,000 entries"),
        (dict.fromkeys(range(200_001)), "more than 200,000 entries"),
        ("x" * (17 << 20), "outside arrays"),
        (np.broadcast_to(np.float64(0), (1 << 40,)), "at most 256 MiB"),
        (np.broadcast_to(np.array(0, ">f8"), (1 << 40,)), "at most 256 MiB"),
        ([np.zeros(200)] * 5000, "more than 4,096 large arrays"),
        (np.zeros((1,) * 33), "33 dimensions"),
        (np.zeros((0, 1 << 40)), "shape"),
        ({(0, i): 0 for i in range(20_000)}, "keys that are neither text nor whole numbers"),
    ],
)
def test_what_does_not_cross_is_named(value, says):
    """The reason completes a sentence: relu returned nothing that can cross, but an object of class object"""
    with pytest.raises(codec.Unfit, match=says):
        codec.Encoder().frame(value)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 only")
def test_new_kinds_of_dtypes_are_refused_like_the_old_ones():
    """An array of strings of numpy 2 is no array of numbers"""
    with pytest.raises(codec.Unfit, match="dtype StringDType"):
        codec.Encoder().frame(np.array(["a"], np.dtypes.StringDType()))


def test_what_is_refused_takes_no_memory():
    """A huge array of the other byte order is refused before it is turned round"""
    array = np.zeros(1 << 26, ">f8")
    tracemalloc.start()
    try:
        with pytest.raises(codec.Unfit, match="at most 256 MiB"):
            codec.Encoder().frame(array)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value",
    [
        [0.0] * 199_990,
        [np.float64(1)] * 99_990,
        [np.zeros((1,) * 32)] * 15_000,
        dict.fromkeys(map(str, range(199_990)), 1.5),
        {i: i for i in range(199_990)},
        [[]] * 199_990,
        [1 << 70] * 99_990,
        "x" * (15 << 20),
        np.zeros(1 << 22),
        {(0, i): 0 for i in range(5000)},
    ],
    ids=["floats", "scalars", "arrays of many dimensions", "texts as keys", "numbers as keys", "lists", "big numbers",
         "text", "array", "tuples as keys"],
)  # fmt: skip
def test_whatever_an_encoder_lets_through_a_decoder_takes(value):
    """The limits of both sides agree: a large honest value is never nonsense to the other side"""
    assert type(through(value)) is type(value)


# Objects that stay behind


def test_objects_are_handed_over_by_number():
    """What is no plain data crosses as what `hand_over` makes of it, and `take_over` reads that"""
    raw = frame([1, {1, 2}], hand_over=lambda value: [codec.HANDLE, 7, type(value).__name__, False])

    value = codec.Decoder(lambda tag, fields: (tag, fields)).value(*codec.read_frame(reader(raw)))

    assert value == [1, (codec.HANDLE, [7, "set", False])]


def test_a_decoder_that_takes_no_objects_refuses_them():
    """A handle where none is wanted is a breach of the protocol"""
    with pytest.raises(ProtocolError):
        decoded([codec.HANDLE, 7, "set", False])


# Tensors without torch


@pytest.mark.parametrize("name", codec.TENSOR_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (40, 40)], ids=str)
def test_tensors_cross_without_torch(name, shape):
    """A tensor is an array that says it is one: element type, shape, values and `requires_grad` arrive"""
    floating = "float" in name or "complex" in name
    made = codec.tensor(np.random.default_rng(0).integers(0, 2, shape), name, requires_grad=floating)

    arrived = through(made)

    assert codec.is_tensor(arrived)
    assert (arrived.dtype_name, arrived.requires_grad, arrived.shape) == (name, floating, shape)
    assert arrived.dtype == made.dtype
    np.testing.assert_array_equal(arrived, made)


def test_bfloat16_rounds_to_the_nearest_even_word():
    """1 + 2^-8 lies half-way and goes to 1, 1 + 3 * 2^-8 goes up; NaN and infinities stay"""
    values = np.array([1 + 2**-8, 1 + 3 * 2**-8, np.nan, np.inf, -np.inf, -0.0], np.float32)

    rounded = codec.bfloat16_values(codec.bfloat16_words(values))

    np.testing.assert_array_equal(rounded, np.array([1, 1 + 2**-6, np.nan, np.inf, -np.inf, -0.0], np.float32))
    assert math.copysign(1, rounded[-1]) == -1


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda t: t.astype(np.float64), "float64"),
        (lambda t: t > 0, "bool"),
        (lambda t: t * 2, "float32"),
        (lambda t: t.view(np.int32), "int32"),
        (lambda t: t[1:], "float32"),
    ],
    ids=["astype", "comparison", "product", "view", "part"],
)
def test_what_is_computed_from_a_tensor_is_a_tensor_of_its_own_type(made, name):
    """A test may compute with a tensor that it sends or received, and send the result"""
    arrived = through(made(codec.tensor(np.ones(3, np.float32), requires_grad=True)))

    assert arrived.dtype_name == name
    assert arrived.requires_grad == ("float" in name)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((np.zeros(2, np.uint16),), "no element type 'uint16'"),
        ((np.zeros(2), "float8"), "no element type 'float8'"),
        ((np.zeros(2, np.int64), None, True), "only floating-point"),
    ],
)
def test_impossible_tensors_are_refused_where_they_are_made(arguments, says):
    """The author of a test reads which element types there are"""
    with pytest.raises(ValueError, match=says):
        codec.tensor(*arguments)


# What hostile bytes can do


def test_no_frame_announces_more_than_the_limits():
    """Lengths are looked at before anything of that length is read"""
    asked = []

    def read_of(raw):
        read = reader(raw)

        def reading(count):
            asked.append(count)
            return read(count)

        return reading

    prefix = struct.Struct("<III").pack
    for raw in (
        prefix(0, 1, 0),
        prefix(codec.MAGIC, codec.HEAD_LIMIT + 1, 0),
        prefix(codec.MAGIC, 2**32 - 1, 0),
        prefix(codec.MAGIC, 1, codec.BUFFER_LIMIT + 1),
        prefix(codec.MAGIC, 1, 2**32 - 1),
        prefix(codec.MAGIC, 1, 1) + struct.pack("<Q", codec.FRAME_LIMIT + 1),
        prefix(codec.MAGIC, 1, 2) + struct.pack("<2Q", 2**63, 2**63),
    ):
        with pytest.raises(ProtocolError):
            codec.read_frame(read_of(raw))
    assert max(asked) <= 16


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        {"a": 1},
        [None],
        ["value"],
        [99],
        [-1],
        [2**63],
        [1.0, 2],
        [True],
        [codec.ARRAY],
        [codec.ARRAY, "<f8", [1], b"short"],
        [codec.ARRAY, "|O", [1], b"12345678"],
        [codec.ARRAY, "<f8,<f8", [1], b"12345678"],
        [codec.ARRAY, None, [1], b"12345678"],
        [codec.ARRAY, ["<f8"], [1], b"12345678"],
        [codec.ARRAY, "<f8", [-1], b"12345678"],
        [codec.ARRAY, "<f8", [True], b"12345678"],
        [codec.ARRAY, "<f8", [1.0], b"12345678"],
        [codec.ARRAY, "<f8", None, b"12345678"],
        [codec.ARRAY, "<f8", 1, b"12345678"],
        [codec.ARRAY, "<f8", [2**32, 2**32], b""],
        [codec.ARRAY, "<f8", [2**28] * 31 + [0], b""],
        [codec.ARRAY, "<f8", [1] * 33, b"12345678"],
        [codec.ARRAY, "<f8", [1], 0],
        [codec.ARRAY, "<f8", [1], -1],
        [codec.ARRAY, "<f8", [1], True],
        [codec.ARRAY, "<f8", [1], "12345678"],
        [codec.ARRAY, "|b1", [2], b"\x00\x02"],
        [codec.SCALAR, "<f8", b"1"],
        [codec.SCALAR, "<f8"],
        [codec.TENSOR, "float32", 1, [1], b"1234"],
        [codec.TENSOR, "quint8", False, [1], b"1"],
        [codec.TENSOR, [], False, [1], b"1"],
        [codec.BIG_INT, "zz"],
        [codec.BIG_INT, 3],
        [codec.BIG_INT, "f" * 2000],
        [codec.COMPLEX, 1, 2.0],
        [codec.COMPLEX, 1.0],
        [codec.DICT, 1],
        [codec.DICT, [codec.LIST], 1],
        [codec.DICT, [codec.TUPLE, [codec.LIST]], 1],
        [codec.DICT, [codec.ARRAY, "<f8", [0], b""], 1],
        [codec.CALLBACK, 1],
    ],
    ids=repr,
)
def test_a_head_that_is_not_well_formed_is_a_breach_of_the_protocol(tree):
    """Nothing but ProtocolError, whatever is wrong"""
    with pytest.raises(ProtocolError):
        decoded(tree)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xa2\xff\xfe",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xd4\x07\x00",
        b"\x00\x00",
    ],
    ids=["empty", "unused code", "deep", "long list", "long map", "long text", "long bytes", "not UTF-8", "a time",
         "an impossible time", "an extension", "something behind"],
)  # fmt: skip
def test_a_head_that_is_no_messagepack_is_a_breach_of_the_protocol(head):
    """Lengths that are not there, extensions, times, bad text: nothing but ProtocolError"""
    with pytest.raises(ProtocolError):
        codec.Decoder().value(head, [])


def test_a_buffer_is_used_once():
    """Two arrays cannot share the bytes of one buffer"""
    one = [codec.ARRAY, "<f8", [1], 0]
    assert decoded([codec.LIST, one], [bytes(8)])[0].shape == (1,)

    with pytest.raises(ProtocolError, match="bad buffer"):
        decoded([codec.LIST, one, one], [bytes(8)])


def test_a_head_of_millions_of_values_is_refused_before_they_are_made():
    """One byte of a head may cost a hundred bytes of memory, so they are counted first"""
    head = b"\xdd" + struct.pack(">I", 4 << 20) + b"\x90" * (4 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="too long"):
            codec.Decoder().value(head, [])
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def elements(tree):
    """How many values a tree is, itself and the keys of maps included."""
    if isinstance(tree, list):
        return 1 + sum(map(elements, tree))
    if isinstance(tree, dict):
        return 1 + sum(map(elements, tree)) + sum(map(elements, tree.values()))
    return 1


packable = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.integers(-40, 140), st.floats(),
        st.floats(width=32), st.text(max_size=40), st.binary(max_size=40), st.binary(min_size=250, max_size=260),
        st.integers(250, 260).map("x".__mul__), st.sampled_from(["x" * 70_000, b"x" * 70_000]),
        st.builds(msgspec.msgpack.Ext, st.integers(0, 127), st.one_of(st.binary(max_size=17), st.just(b"x" * 300))),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=20), st.dictionaries(st.text(max_size=3), inner, max_size=20), st.just([None] * 70_000)
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packable)
def test_the_values_of_a_head_are_counted_without_being_made(monkeypatch, tree):
    """A head of n values is let through by a limit of n and refused by one of n - 1, whatever kinds of values these are"""
    head, count = msgspec.msgpack.encode(tree), elements(tree)

    for limit, refused in ((count, False), (count - 1, count <= len(head) and len(head) > count - 1)):
        monkeypatch.setattr(codec, "ELEMENT_LIMIT", limit)

        assert codec._has_too_many_elements(head) == refused


def test_keys_that_collide_cost_no_quadratic_time():
    """Whole numbers a multiple of 2^61 - 1 apart have one hash: a dict of many such keys is refused unbuilt"""
    keys = [[codec.BIG_INT, hex(i * (2**61 - 1))] for i in range(20_000)]

    with pytest.raises(ProtocolError, match="keys"):
        decoded([codec.DICT, *(part for key in keys for part in (key, 0))])


SEEDS = [
    frame(value)
    for value in (
        ["value", np.arange(6.0).reshape(2, 3), [["over"], ["w"], ["x"], [], False, True, None]],
        ["error", "ValueError", ["ValueError"], "text", [["relu.py", 1, "relu", "return x"]], None],
        [
            {"a": (1, 2.5, -1), "b": [None, True, b"x", 1 << 80, 1j]},
            np.float32(2),
            np.zeros(500, "f4"),
            np.ones(300, "?"),
        ],
        [
            codec.tensor(np.ones((2, 2)), "bfloat16"),
            codec.tensor(np.ones(600), requires_grad=True),
            np.zeros((0, 3), "c8"),
        ],
    )
]


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["set", "insert", "cut"])), max_size=6
    ),
    st.sampled_from([None, 13, 14, 15]),
)
@example(SEEDS[0], [], None)
def test_mutated_frames_are_values_or_breaches(raw, changes, head_only):
    """Whatever bytes are changed, added or lost: a value, ProtocolError, or the end of the bytes; nothing else"""
    data = bytearray(raw)
    for number, byte, how in changes:
        place = number % len(data) if head_only is None else head_only + number % (len(data) - head_only)
        if how == "set":
            data[place] = byte
        elif how == "insert":
            data.insert(place, byte)
        elif len(data) > 16:
            del data[place]
    try:
        value = codec.Decoder(lambda tag, fields: None).value(*codec.read_frame(reader(data)))
    except (ProtocolError, EOFError):
        return
    frame(value)


trees = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 12), st.integers(-(2**63), 2**64 - 1), st.floats(), st.binary(max_size=9),
        st.text(max_size=4), st.sampled_from([*codec.DTYPES, *codec.TENSOR_DTYPES]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(st.integers(0, 9), inner, inner, inner).map(list),
        st.tuples(st.just(codec.ARRAY), st.sampled_from(list(codec.DTYPES)), st.lists(st.integers(0, 3)), inner).map(list),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(trees, st.lists(st.binary(max_size=24), max_size=3))
def test_made_up_heads_are_values_or_breaches(tree, buffers):
    """Whatever lists of tags, types and shapes a head holds: a value or ProtocolError, nothing else"""
    try:
        value = codec.Decoder(lambda tag, fields: None).value(msgspec.msgpack.encode(tree), buffers)
    except ProtocolError:
        return
    frame(value)


def test_the_codec_needs_no_torch():
    """Decoding tensors on the tests' side loads no torch: a fresh interpreter says so"""
    import subprocess

    program = "import sys; from nnkit.grader import codec; codec.tensor([1.0]); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"
