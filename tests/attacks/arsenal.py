"""What the attacks of the corpus share. It is handed in with every one of them, beside the honest functions.

An attack that gets what it must not get says so with `Achieved`; what it does outside is seen by the test's own eyes.
`targets.py`, also handed in, holds the addresses of what is to be attacked.
"""

import typing

import honest
import numpy as np
import targets as T
from honest import *  # noqa: F403

# A submission may import a few modules only, but those know others.
sys = typing.sys
os = sys.modules["os"]
ctypes = sys.modules["ctypes"]
struct = sys.modules["struct"]
time = sys.modules["time"]
socket = sys.modules["socket"]
signal = sys.modules["signal"]
codec = sys.modules["nnkit.grader.codec"]
import_for_real = sys.modules["builtins"].__import__

MACHINE = os.uname().machine
PLACE = 0 if MACHINE == "x86_64" else 1
CALLS = {
    "access": (21, None), "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "clock_settime": (227, 112), "bpf": (321, 280),
    "clone": (56, 220), "clone3": (435, 435), "close_range": (436, 436), "connect": (42, 203), "delete_module": (176, 106),
    "epoll_create1": (291, 20), "eventfd2": (290, 19), "execve": (59, 221), "execveat": (322, 281),
    "faccessat": (269, 48), "fanotify_init": (300, 262), "fcntl": (72, 25), "finit_module": (313, 273),
    "fsopen": (430, 430), "fsmount": (432, 432), "fsconfig": (431, 431), "getsockopt": (55, 209),
    "init_module": (175, 105), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "ioctl": (16, 29),
    "io_uring_setup": (425, 425), "kcmp": (312, 272), "kexec_load": (246, 104), "keyctl": (250, 219), "kill": (62, 129),
    "landlock_create_ruleset": (444, 444), "memfd_create": (319, 279), "memfd_secret": (447, 447), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "msgget": (68, 186), "msgctl": (71, 187), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "openat": (257, 56), "openat2": (437, 437), "perf_event_open": (298, 241),
    "personality": (135, 92), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41), "prctl": (157, 167), "prlimit64": (302, 261), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "reboot": (169, 142),
    "request_key": (249, 218), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "sched_setaffinity": (203, 122),
    "seccomp": (317, 277), "semget": (64, 190), "semctl": (66, 191), "sendfile": (40, 71), "sendmsg": (46, 211),
    "setdomainname": (171, 162), "sethostname": (170, 161), "setns": (308, 268), "setpriority": (141, 140), "settimeofday": (164, 170),
    "setsid": (112, 157), "setuid": (105, 146), "setresuid": (117, 147), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "shutdown": (48, 210), "signalfd4": (289, 74), "socket": (41, 198), "socketpair": (53, 199),
    "splice": (275, 76), "statx": (332, 291), "swapon": (167, 224), "syslog": (103, 116), "tee": (276, 77),
    "tgkill": (234, 131), "timer_create": (222, 107), "timerfd_create": (283, 85), "tkill": (200, 130),
    "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "vfork": (58, None), "fork": (57, None),
    "vhangup": (153, 58), "vmsplice": (278, 75), "chroot": (161, 51),
}  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Achieved(BaseException):
    """The attack got what it must not get."""


def shout(what):
    """Say what was achieved."""
    raise Achieved(f"ACHIEVED: {what}")


def refused(action, *also):
    """Do what must be refused, and shout if it is not. Whatever else goes wrong is a mistake in the attack."""
    try:
        result = action()
    except (OSError, *also):
        return
    shout(f"{getattr(action, '__name__', action)} gave {result!r:.300}")


def call(name, *arguments):
    """Make a system call by its name. Raises OSError when it is refused."""
    number = CALLS[name][PLACE]
    if number is None:
        raise OSError(38, "no such call on this machine")
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def text(path):
    """A path for a system call."""
    return ctypes.c_char_p(str(path).encode())


def smuggled(array):
    """A text that carries numbers out. Its first word stands in no file, so where it is seen, the text was made here."""
    return "detartlifxe"[::-1].upper() + np.asarray(array).tobytes().hex()[:90]


# The wire: the nonce of the question in hand is in the frame that serves it.


def nonce():
    """The nonce that an answer must begin with."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "serve":
            return bytes(frame.f_locals["nonce"])
        frame = frame.f_back
    return b"no nonce"


def raw(data):
    """Write bytes of one's own to the grader."""
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def answer(head, lengths=(), body=b""):
    """Write a frame with a head of one's own, as an answer to the question in hand."""
    prefix = struct.pack("<III", codec.MAGIC, len(head), len(lengths))
    raw(nonce() + prefix + b"".join(struct.pack("<Q", length % 2**64) for length in lengths) + head + body)


def pack(tree):
    """A head, from a tree in which lists begin with their tag."""
    return codec._pack(tree)


def value(tree):
    """The head of an answer with this value."""
    return pack([codec.LIST, "value", tree, None])


def everything(kind):
    """All objects of a kind that can be reached in this process."""
    gc = import_for_real("gc")  # part of Python itself, wherever it was imported
    waiting, seen, found = [sys.modules, sys._getframe(), *gc.get_objects()], set(), []
    while waiting:
        entry = waiting.pop()
        if id(entry) in seen:
            continue
        seen.add(id(entry))
        if isinstance(entry, kind):
            found.append(entry)
        waiting += gc.get_referents(entry)
    return found
