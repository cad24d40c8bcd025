"""Plain data <-> bytes: the only thing that crosses between a test and a student's code.

A frame is `magic | head length | number of buffers | length of each buffer | head | buffers`, little-endian. The head
is MessagePack; arrays of more than INLINE bytes travel as raw buffers after it. Every bound is checked before memory
is taken, because the trusted side reads frames that hostile code may have written. Nothing is ever unpickled.

In the head, None, bool, int, float, str and bytes stand for themselves; everything else is a list that starts with a
tag (LIST, TUPLE, DICT, ...). There are no MessagePack maps and no extension types.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import ProtocolError

if TYPE_CHECKING:
    from types import ModuleType

MAGIC = 0x314B4E4E  # "NNK1"
HEAD_LIMIT = 16 << 20
FRAME_LIMIT = 256 << 20
BUFFER_LIMIT = 4096
ITEM_LIMIT = 200_000
ELEMENT_LIMIT = 6 * ITEM_LIMIT  # MessagePack values in one head: what ITEM_LIMIT entries may need at most
KEY_LIMIT = 10_000  # keys of dicts in one frame of a kind whose hashes can be made to collide
DEPTH_LIMIT = 32
RANK_LIMIT = 32
INLINE = 1024

LIST, TUPLE, DICT, ARRAY, SCALAR, TENSOR, BIG_INT, COMPLEX, HANDLE, CALLBACK = range(10)

Buffer = bytes | bytearray | memoryview
Words = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    dtype.str: dtype
    for dtype in map(np.dtype, ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"))
}
TENSOR_DTYPES = {
    "bool": "|b1", "uint8": "|u1", "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "float16": "<f2", "float32": "<f4", "float64": "<f8", "complex64": "<c8", "complex128": "<c16",
    "bfloat16": "<u2",
}  # fmt: skip

_PREFIX = struct.Struct("<III")
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


class Unfit(Exception):
    """A value is no plain data and cannot be handed over either. Its text completes "... returned ..."."""


class TooMuch(Unfit):
    """A value is plain data, but larger or deeper than what crosses."""


class TensorArray(np.ndarray[Any, np.dtype[Any]]):
    """A tensor on the tests' side, where torch is not loaded: an array that says it is a tensor.

    `dtype_name` is torch's name of the element type; a bfloat16 tensor holds its values as float32.
    """

    dtype_name: str
    requires_grad: bool

    def __array_finalize__(self, base: Any) -> None:
        self.dtype_name = getattr(base, "dtype_name", "")
        self.requires_grad = getattr(base, "requires_grad", False)


def tensor(array: object, dtype: str | None = None, requires_grad: bool = False) -> TensorArray:
    """Return `array` as a value that arrives in the student's code as a torch tensor.

    Args:
        array: anything numpy makes an array of.
        dtype: torch's name of the element type ("float32", "bfloat16", ...); by default the array's own.
        requires_grad: as in torch.

    Raises:
        ValueError: torch has no such element type.
    """
    given = np.asarray(array)
    name = dtype or given.dtype.name
    if name not in TENSOR_DTYPES:
        raise ValueError(f"tensor: torch has no element type {name!r}; use one of {', '.join(TENSOR_DTYPES)}")
    if requires_grad and not _may_require_grad(name):
        raise ValueError(f"tensor: only floating-point and complex tensors can require gradients, not {name}")
    made = given.astype(np.float32 if name == "bfloat16" else TENSOR_DTYPES[name]).view(TensorArray)
    made.dtype_name, made.requires_grad = name, requires_grad
    return made


def is_tensor(value: object) -> bool:
    """Whether a value that came from a student's code was a torch tensor there."""
    return type(value) is TensorArray


def _may_require_grad(dtype_name: str) -> bool:
    return "float" in dtype_name or "complex" in dtype_name


def bfloat16_words(values: Words) -> Words:
    """Round float32 values to bfloat16 (nearest, ties to even) and return the 16-bit words."""
    flat = np.asarray(values, np.float32).reshape(-1)
    bits = flat.view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(flat), np.uint16(0x7FC0), rounded).reshape(np.shape(values))


def bfloat16_values(words: Words) -> Words:
    """Return the float32 values of bfloat16 words."""
    return (words.reshape(-1).astype(np.uint32) << 16).view(np.float32).reshape(words.shape)


class Encoder:
    """Makes frames.

    Args:
        hand_over: called with an object that is no plain data; returns the tagged list that stands for it, or raises
            Unfit.
    """

    def __init__(self, hand_over: Callable[[object], list[Any]] | None = None) -> None:
        self._hand_over = hand_over
        self._buffers: list[memoryview] = []
        self._items = self._keys = 0
        self._bytes = 0

    def frame(self, value: object) -> list[Buffer]:
        """Return the parts of one frame, to be written one after the other. Large arrays are not copied.

        Raises:
            Unfit: the value, or a part of it, cannot cross.
        """
        self._buffers, self._items, self._keys, self._bytes = [], 0, 0, 0
        head = _pack(self._tree(value, 0))
        if len(head) > HEAD_LIMIT:
            raise TooMuch(f"more than {HEAD_LIMIT >> 20} MiB of numbers and texts outside arrays")
        return framed(head, self._buffers)

    def _tree(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else self._big(value)
        if kind is str:
            return self._text(value)
        if kind is bytes:
            return self._raw(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            return self._scalar(value)
        if isinstance(value, list | tuple | dict):
            return self._container(value, depth)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._tensor(value)
        return self._other(value)

    def _container(self, value: list[Any] | tuple[Any, ...] | dict[Any, Any], depth: int) -> list[Any]:
        if depth >= DEPTH_LIMIT:
            raise TooMuch(f"something nested more than {DEPTH_LIMIT} deep (does it contain itself?)")
        if isinstance(value, dict):
            self._count(dict.__len__(value))
            tree: list[Any] = [DICT]
            for key, entry in dict.items(value):
                self._keys += not _is_plain_key(key)
                tree += (self._tree(key, depth + 1), self._tree(entry, depth + 1))
            if self._keys > KEY_LIMIT:
                raise TooMuch(f"dicts with more than {KEY_LIMIT:,} keys that are neither text nor whole numbers")
            return tree
        self._count(list.__len__(value) if isinstance(value, list) else tuple.__len__(value))
        entries = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
        return [LIST if isinstance(value, list) else TUPLE, *[self._tree(entry, depth + 1) for entry in entries]]

    def _count(self, entries: int) -> None:
        self._items += entries
        if self._items > ITEM_LIMIT:
            raise TooMuch(f"lists with more than {ITEM_LIMIT:,} entries; an array can be larger")

    def _array(self, array: Words) -> list[Any]:
        plain = np.asarray(array)
        native = _native(plain.dtype)
        if native is None:
            raise Unfit(f"an array of dtype {plain.dtype}; expected numbers or booleans")
        if type(array) is TensorArray:
            return self._tensor_array(array)
        data = self._data(plain, native)
        return [ARRAY, native.str, self._shape(plain.shape), data]

    def _tensor_array(self, array: TensorArray) -> list[Any]:
        # Computing with a tensor's array may have changed its element type.
        name = array.dtype_name
        if array.dtype != (np.float32 if name == "bfloat16" else TENSOR_DTYPES.get(name)):
            name = array.dtype.name
        if name not in TENSOR_DTYPES:
            raise Unfit(f"a tensor of dtype {name}, which torch does not have")
        words = bfloat16_words(array) if name == "bfloat16" else np.asarray(array)
        data = self._data(words, np.dtype(TENSOR_DTYPES[name]))
        return [TENSOR, name, bool(array.requires_grad) and _may_require_grad(name), self._shape(words.shape), data]

    def _shape(self, shape: tuple[int, ...]) -> list[int]:
        self._count(1 + len(shape) // 4)
        if len(shape) > RANK_LIMIT:
            raise TooMuch(f"an array of {len(shape)} dimensions")
        if any(length > FRAME_LIMIT for length in shape):
            raise TooMuch(f"an array of shape {shape}")
        return list(shape)

    def _tensor(self, value: Any) -> list[Any]:
        name = str(value.dtype).removeprefix("torch.")
        if name not in TENSOR_DTYPES or str(value.layout) != "torch.strided":
            raise Unfit(f"a tensor of dtype {name} and layout {value.layout}; expected a dense one of numbers")
        if value.device.type == "meta":
            raise Unfit("a tensor on the device meta, which holds no numbers; move it to the CPU")
        self._room(value.numel() * value.element_size(), book=False)
        shape = self._shape(tuple(value.shape))
        plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        words = plain.view(sys.modules["torch"].int16).numpy().view("<u2") if name == "bfloat16" else plain.numpy()
        return [TENSOR, name, bool(value.requires_grad), shape, self._data(words, words.dtype)]

    def _data(self, array: Words, dtype: np.dtype[Any]) -> bytes | int:
        self._room(array.nbytes)
        array = array.astype(dtype, copy=False)
        if array.nbytes <= INLINE:
            return array.tobytes()
        if len(self._buffers) >= BUFFER_LIMIT:
            raise TooMuch(f"more than {BUFFER_LIMIT:,} large arrays at once")
        self._buffers.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return len(self._buffers) - 1

    def _room(self, size: int, *, book: bool = True) -> None:
        total = self._bytes + size
        if total > FRAME_LIMIT:
            raise TooMuch(f"{total / 2**30:.2g} GiB of data; at most {FRAME_LIMIT >> 20} MiB can be handed over")
        self._bytes = total if book else self._bytes

    def _scalar(self, value: np.generic) -> Any:
        if isinstance(value, str | bytes):
            return self._other(value)
        native = _native(value.dtype)
        if native is None:
            raise Unfit(f"a numpy scalar of dtype {value.dtype}; expected a number or a boolean")
        self._count(1)
        return [SCALAR, native.str, np.asarray(value).astype(native).tobytes()]

    def _big(self, value: int) -> list[Any]:
        if int.bit_length(value) > 4096:
            raise TooMuch(f"a whole number of {int.bit_length(value):,} bits")
        self._count(1)
        return [BIG_INT, hex(value)]

    def _text(self, value: str) -> str:
        self._room(len(value))
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")

    def _raw(self, value: bytes) -> bytes:
        self._room(len(value))
        return value

    def _other(self, value: Any) -> Any:
        # Subclasses cross as their base, read with the base's own methods.
        if isinstance(value, int):
            return self._tree(int.__index__(value), 0)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, bytes | bytearray):
            view = memoryview(value)
            self._room(view.nbytes, book=False)
            return self._raw(bytes(view))
        self._count(1)
        if isinstance(value, complex):
            return [COMPLEX, complex.real.__get__(value), complex.imag.__get__(value)]
        if self._hand_over is None:
            raise Unfit(f"an object of class {type(value).__qualname__}")
        return self._hand_over(value)


def _native(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """The plain dtype in this machine's byte order, or None where it is no plain one."""
    try:
        native = dtype.newbyteorder("=")
    except TypeError:
        return None  # numpy 2's strings of any length
    return native if native.str in DTYPES else None


def _is_plain_key(key: object) -> bool:
    """Whether nobody can make many keys like this one collide: the hash of text is secret, of 64 bits few numbers share it."""
    kind = type(key)
    return kind in (str, bytes, bool, type(None)) or (kind is int and -(2**63) <= key < 2**64)  # type: ignore[operator]


class Decoder:
    """Reads frames.

    Args:
        take_over: called with (tag, fields) of a HANDLE or CALLBACK; returns what stands for it on this side.
        torch: the torch module where tensors are wanted; elsewhere they become TensorArrays.
        take: whether a large array may keep the bytearray it came in as its memory; otherwise all are copied.
    """

    def __init__(
        self,
        take_over: Callable[[int, list[Any]], object] | None = None,
        torch: ModuleType | None = None,
        *,
        take: bool = True,
    ) -> None:
        self._take_over = take_over
        self._torch: Any = torch
        self._take = take
        self._buffers: Sequence[Buffer] = ()
        self._used: set[int] = set()
        self._keys = 0

    def value(self, head: Buffer, buffers: Sequence[Buffer]) -> Any:
        """Return the value of one frame.

        Raises:
            ProtocolError: the frame is not well-formed.
        """
        self._buffers, self._used, self._keys = buffers, set(), 0
        if _has_too_many_elements(head):
            raise ProtocolError("head too long")
        try:
            tree = _unpack(head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
            raise ProtocolError(f"head: {type(error).__name__}") from None
        return self._value(tree, 0)

    def _value(self, tree: Any, depth: int) -> Any:
        kind = type(tree)
        if tree is None or kind in (bool, int, float, str, bytes):
            return tree
        if kind is not list or not tree or type(tree[0]) is not int:
            raise ProtocolError("neither a plain value nor a tagged one")
        if depth > DEPTH_LIMIT:
            raise ProtocolError("nested too deep")
        tag, fields = tree[0], tree[1:]
        if tag == LIST:
            return [self._value(entry, depth + 1) for entry in fields]
        if tag == TUPLE:
            return tuple([self._value(entry, depth + 1) for entry in fields])
        if tag == DICT:
            return self._dict(fields, depth)
        if tag == ARRAY and len(fields) == 3:
            return self._array(*fields)
        if tag == TENSOR and len(fields) == 4:
            return self._tensor(*fields)
        if tag == SCALAR and len(fields) == 2:
            return self._array(fields[0], [], fields[1])[()]
        if tag == BIG_INT and len(fields) == 1:
            return self._big(fields[0])
        if tag == COMPLEX and [type(field) for field in fields] == [float, float]:
            return complex(*fields)
        if tag in (HANDLE, CALLBACK) and self._take_over is not None:
            return self._take_over(tag, fields)
        raise ProtocolError(f"tag {tag} with {len(fields)} fields")

    def _dict(self, fields: list[Any], depth: int) -> dict[Any, Any]:
        if len(fields) % 2:
            raise ProtocolError("dict with a key without a value")
        values = [self._value(field, depth + 1) for field in fields]
        self._keys += sum(not _is_plain_key(key) for key in values[::2])
        if self._keys > KEY_LIMIT:
            raise ProtocolError("too many keys")
        try:
            return dict(zip(values[::2], values[1::2], strict=True))
        except TypeError:
            raise ProtocolError("dict with a key that cannot be one") from None

    def _array(self, dtype: Any, shape: Any, data: Any) -> Words:
        if type(dtype) is not str or dtype not in DTYPES:
            raise ProtocolError("dtype not allowed")
        if type(shape) is not list or len(shape) > RANK_LIMIT:
            raise ProtocolError("bad shape")
        raw, size = self._raw(data), DTYPES[dtype].itemsize
        for length in shape:
            if type(length) is not int or not 0 <= length <= FRAME_LIMIT:
                raise ProtocolError("bad shape")
            size *= length
        if size != len(raw):
            raise ProtocolError("shape does not fit the bytes")
        try:
            array: Words = np.frombuffer(raw, DTYPES[dtype]).reshape(shape)
        except ValueError:
            raise ProtocolError("bad shape") from None
        if dtype == "|b1" and size and array.view(np.uint8).max() > 1:
            raise ProtocolError("a boolean that is neither 0 nor 1")
        return array if self._take and type(raw) is bytearray else array.copy()

    def _tensor(self, name: Any, requires_grad: Any, shape: Any, data: Any) -> Any:
        if type(name) is not str or name not in TENSOR_DTYPES or type(requires_grad) is not bool:
            raise ProtocolError("bad tensor")
        words = self._array(TENSOR_DTYPES[name], shape, data)
        if self._torch is not None:
            made = self._torch.from_numpy(words.view("<i2") if name == "bfloat16" else words)
            made = made.view(self._torch.bfloat16) if name == "bfloat16" else made
            return made.requires_grad_(requires_grad)
        array = (bfloat16_values(words) if name == "bfloat16" else words).view(TensorArray)
        array.dtype_name, array.requires_grad = name, requires_grad
        return array

    def _raw(self, data: Any) -> Buffer:
        if type(data) is bytes:
            return data
        if type(data) is not int or not 0 <= data < len(self._buffers) or data in self._used:
            raise ProtocolError("bad buffer")
        self._used.add(data)
        return self._buffers[data]

    @staticmethod
    def _big(text: Any) -> int:
        if type(text) is not str or len(text) > 1100:
            raise ProtocolError("bad whole number")
        try:
            return int(text, 16)
        except ValueError:
            raise ProtocolError("bad whole number") from None


def _length_of(first: int) -> tuple[int, int, int]:
    """Of a MessagePack value that starts with this byte: its fixed bytes, of which so many are a length; and a known length."""
    if first <= 0x9F or first >= 0xE0:  # small numbers; lists and maps, whose entries are values of their own
        return 1, 0, 0
    if first <= 0xBF:
        return 1, 0, first & 31
    if first <= 0xC3:
        return 1, 0, 0
    width = 1 << (first - 0xC4) % 3
    if first <= 0xC6:  # bytes
        return 1 + width, width, 0
    if first <= 0xC9:  # extensions
        return 1 + width, width, 1
    if first <= 0xD3:  # floats and whole numbers
        return 1, 0, (4, 8, 1, 2, 4, 8, 1, 2, 4, 8)[first - 0xCA]
    if first <= 0xD8:
        return 1, 0, 1 + (1 << (first - 0xD4))
    if first <= 0xDB:  # text
        return 1 + (1 << (first - 0xD9)), 1 << (first - 0xD9), 0
    return 3 if first in (0xDC, 0xDE) else 5, 0, 0


_LENGTHS = [_length_of(first) for first in range(256)]


def _has_too_many_elements(head: Buffer) -> bool:
    """Whether a head holds more than ELEMENT_LIMIT values, found without making any: one byte of it may cost a hundred."""
    end = len(head)
    if end <= ELEMENT_LIMIT:
        return False
    place = 0
    for _ in range(ELEMENT_LIMIT):
        fixed, width, length = _LENGTHS[head[place]]
        if width:
            length += int.from_bytes(head[place + fixed - width : place + fixed], "big")
        place += fixed + length
        if place >= end:
            return False
    return True


def framed(head: Buffer, buffers: Sequence[Buffer]) -> list[Buffer]:
    """Return the parts of a frame, to be written one after the other, from its head and its buffers."""
    lengths = [len(buffer) for buffer in buffers]
    start = _PREFIX.pack(MAGIC, len(head), len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    return [start, head, *buffers]


def read_frame(read: Callable[[int], Buffer]) -> tuple[Buffer, list[Buffer]]:
    """Read one frame and return its head and buffers, undecoded.

    Args:
        read: returns exactly so many bytes, or raises.

    Raises:
        ProtocolError: the frame announces more than the limits allow.
    """
    magic, head_length, count = _PREFIX.unpack(read(_PREFIX.size))
    if magic != MAGIC:
        raise ProtocolError("not a frame")
    if head_length > HEAD_LIMIT or count > BUFFER_LIMIT:
        raise ProtocolError("head too long")
    lengths = struct.unpack(f"<{count}Q", read(8 * count)) if count else ()
    if sum(lengths) > FRAME_LIMIT:
        raise ProtocolError("frame too long")
    head = read(head_length)
    return head, [read(length) for length in lengths]


def value_of(frame: bytes) -> Any:
    """Return the plain value of one frame that lies in memory.

    Raises:
        ProtocolError: it is not well-formed, or cut short.
    """
    try:
        return Decoder().value(*read_frame(io.BytesIO(frame).read))
    except struct.error:
        raise ProtocolError("cut short") from None
