"""The list of system calls: the filter's decisions on both machines, step by step as the kernel would take them."""

import ast
import errno
import os
import platform
import re
import struct
from pathlib import Path

import pytest

from nnkit.grader.sandbox import fewer_calls, syscalls
from nnkit.grader.sandbox.job import Job

MACHINES = ["x86_64", "aarch64"]
PID = 4711
REFUSED = errno.EPERM

# Calls that must never pass, by their numbers on (x86_64, aarch64); None where there is no such call.
FORBIDDEN = {
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None), "stat": (4, None),
    "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None), "faccessat": (269, 48),
    "readlink": (89, None), "readlinkat": (267, 78), "getdents64": (217, 61), "chdir": (80, 49), "getcwd": (79, 17),
    "mkdir": (83, None), "mkdirat": (258, 34), "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None),
    "symlinkat": (266, 36), "linkat": (265, 37), "mknodat": (259, 33), "chmod": (90, None), "fchmodat": (268, 53),
    "truncate": (76, 45), "memfd_create": (319, 279), "name_to_handle_at": (303, 264),
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "accept": (43, 202),
    "sendto": (44, 206), "sendmsg": (46, 211), "recvmsg": (47, 212), "getsockopt": (55, 209), "shutdown": (48, 210),
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "wait4": (61, 260),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "pidfd_send_signal": (424, 424), "kcmp": (312, 272),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "setrlimit": (160, 164), "setuid": (105, 146),
    "setsid": (112, 157), "setpgid": (109, 154), "capset": (126, 91), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "seccomp": (317, 277), "personality": (135, 92), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "timer_create": (222, 107), "clock_settime": (227, 112), "reboot": (169, 142),
    "init_module": (175, 105), "kexec_load": (246, 104), "syslog": (103, 116), "splice": (275, 76),
    "vmsplice": (278, 75), "sendfile": (40, 71), "pipe2": (293, 59), "eventfd2": (290, 19), "epoll_create1": (291, 20),
}  # fmt: skip


def decide(program, number, arguments=(0, 0, 0, 0, 0, 0), arch=None, machine="x86_64"):
    """Run the filter on one call, as the kernel does, and return its verdict."""
    data = struct.pack("<IIQ6Q", number, arch or syscalls.AUDIT_ARCH[machine], 0, *arguments)
    steps = list(struct.iter_unpack("<HBBI", program))
    place, accumulator = 0, 0
    while True:
        code, yes, no, value = steps[place]
        place += 1
        if code == syscalls.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == syscalls.RETURN:
            return value
        else:
            holds = {
                syscalls.EQUAL: accumulator == value,
                syscalls.ANY_BIT: bool(accumulator & value),
                syscalls.AT_LEAST: accumulator >= value,
            }[code]
            place += yes if holds else no


def verdict(machine, pair, *arguments):
    """What the filter says of a call, by its pair of numbers."""
    number = pair[MACHINES.index(machine)]
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return decide(syscalls.program(machine, PID), number, padded, machine=machine)


def refused(found, number=REFUSED):
    """Whether a verdict is that error."""
    return found == 0x00050000 | number


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_passes_and_nothing_else(machine):
    """Of the numbers up to 1000, those of the table pass with any arguments, and the eight looked into depend on them"""
    program, place = syscalls.program(machine, PID), MACHINES.index(machine)
    listed = {numbers[place] for numbers in syscalls.ALLOWED.values()} - {None}
    looked_into = {
        pair[place]
        for pair in (
            syscalls.CLONE, syscalls.CLONE3, syscalls.PRCTL, syscalls.PRLIMIT, syscalls.IOCTL, syscalls.FCNTL,
            syscalls.KILL, syscalls.TGKILL,
        )
    }  # fmt: skip

    for number in range(1000):
        found = decide(program, number, (2**64 - 1,) * 6, machine=machine)
        assert (found == syscalls.ALLOW) == (number in listed), number
        assert number in looked_into or found in (syscalls.ALLOW, syscalls.REFUSE), number


@pytest.mark.parametrize(
    ("machine", "name"),
    [(m, name) for m in MACHINES for name, pair in FORBIDDEN.items() if pair[MACHINES.index(m)] is not None],
)
def test_dangerous_calls_are_refused(machine, name):
    """Files, sockets, processes, signals, namespaces and kernel services are refused by name"""
    assert refused(verdict(machine, FORBIDDEN[name]))


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_but_no_processes(machine):
    """clone makes threads, never a process or a namespace; clone3 does not exist, so that libc falls back"""
    thread = 0x3D0F00  # what pthread_create asks for
    assert verdict(machine, syscalls.CLONE, thread) == syscalls.ALLOW
    assert refused(verdict(machine, syscalls.CLONE, 17))  # fork
    assert refused(verdict(machine, syscalls.CLONE, 0x4111))  # vfork
    assert refused(verdict(machine, syscalls.CLONE, thread | 0x10000000))  # with a user namespace
    assert refused(verdict(machine, syscalls.CLONE3), errno.ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
def test_signals_to_itself_only(machine):
    """kill and tgkill reach the process itself and nobody else, no group and not everybody"""
    for pair in (syscalls.KILL, syscalls.TGKILL):
        assert verdict(machine, pair, PID, 6) == syscalls.ALLOW
        for other in (0, 1, PID + 1, 2**32 - 1, 2**64 - 1, 2**32 - PID):
            assert refused(verdict(machine, pair, other, 9))


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_can_be_read_only(machine):
    """prlimit64 tells the own limits, sets none, and knows no other process"""
    assert verdict(machine, syscalls.PRLIMIT, 0, 7, 0, 0x7F0000001000) == syscalls.ALLOW
    assert refused(verdict(machine, syscalls.PRLIMIT, 0, 7, 0x1000, 0))
    assert refused(verdict(machine, syscalls.PRLIMIT, 0, 7, 0x7F00000000000000, 0))
    assert refused(verdict(machine, syscalls.PRLIMIT, 1, 7, 0, 0x1000))


@pytest.mark.parametrize("machine", MACHINES)
def test_fcntl_gives_no_signals_away(machine):
    """fcntl duplicates and reads flags; it neither names an owner of signals nor asks for them"""
    for command in (0, 1, 2, 3, 1030):
        assert verdict(machine, syscalls.FCNTL, 1, command) == syscalls.ALLOW
    assert verdict(machine, syscalls.FCNTL, 1, 4, 0o4000) == syscalls.ALLOW  # not to block
    assert refused(verdict(machine, syscalls.FCNTL, 1, 4, 0o20000))  # O_ASYNC
    for command in (8, 10, 15, 1024, 1033):  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_ADD_SEALS
        assert refused(verdict(machine, syscalls.FCNTL, 1, command, PID))


@pytest.mark.parametrize("machine", MACHINES)
def test_other_architectures_are_killed(machine):
    """A call by another architecture's numbers ends the process: they would mean something else"""
    program = syscalls.program(machine, PID)
    assert decide(program, 1, arch=0x40000003) == syscalls.KILL_PROCESS
    if machine == "x86_64":
        assert decide(program, 0x40000000 + 2) == syscalls.KILL_PROCESS  # x32


def test_no_table_for_other_machines():
    """Where there is no table, there is no half a filter"""
    with pytest.raises(ValueError, match="riscv64"):
        syscalls.program("riscv64", PID)


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="this machine has no table of system calls")
def test_the_lid_closes_for_good():
    """In a process with the filter, files, sockets and forks are refused, also through a second filter"""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = b"set up failed"
        try:
            syscalls._libc.prctl(syscalls._libc.SET_NO_NEW_PRIVS, 1)
            syscalls.SystemCalls().apply(Job.empty())
            said = b" ".join(attempt(action) for action in (lambda: os.open("/", 0), os.fork, os.getpid, again))
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 1000)
    os.close(reading)
    os.waitpid(pid, 0)

    assert said == b"refused refused done refused"


def again():
    """Try to put another filter in place."""
    syscalls.SystemCalls().apply(Job.empty())


def attempt(action):
    """Say whether something could be done."""
    try:
        action()
    except PermissionError:
        return b"refused"
    return b"done"


# The list of the level `gpu`


def gpu_verdict(machine, pair, *arguments):
    """What the other filter says of a call."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return decide(fewer_calls.program(machine, PID), pair[MACHINES.index(machine)], padded, machine=machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_for_gpus_is_refused_and_the_rest_passes(machine):
    """Sockets, sessions, namespaces, what outlives a process: by name, with any arguments"""
    place = MACHINES.index(machine)
    for name, numbers in fewer_calls.REFUSED.items():
        assert numbers[place] == fewer_calls.NONE or refused(gpu_verdict(machine, numbers, *[2**64 - 1] * 6)), name
    for name in ("openat", "execve", "wait4", "pipe2", "splice", "getdents64", "setrlimit"):
        assert gpu_verdict(machine, FORBIDDEN[name]) == syscalls.ALLOW, name
    for name, numbers in syscalls.ALLOWED.items():
        assert numbers[place] is None or gpu_verdict(machine, numbers) == syscalls.ALLOW, name


@pytest.mark.parametrize("machine", MACHINES)
def test_processes_but_no_namespaces_for_gpus(machine):
    """clone makes threads and processes; clone3, which hides its flags, does not exist"""
    for flags in (0x3D0F00, 17, 0x4111):
        assert gpu_verdict(machine, syscalls.CLONE, flags) == syscalls.ALLOW
        for kind in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            assert refused(gpu_verdict(machine, syscalls.CLONE, flags | kind))
    assert refused(gpu_verdict(machine, syscalls.CLONE3), errno.ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
def test_nobody_else_is_reached_from_gpus(machine):
    """Signals, limits and cores are for itself; nobody is made the owner of signals, and no terminal is typed into"""
    for pair in (syscalls.KILL, syscalls.TGKILL, syscalls.PRLIMIT, fewer_calls.SCHED_SETAFFINITY):
        assert gpu_verdict(machine, pair, PID) == syscalls.ALLOW
        for other in (1, PID + 1, 2**32 - 1, 2**64 - 1, 2**32 - PID):
            assert refused(gpu_verdict(machine, pair, other, 9))
    assert refused(gpu_verdict(machine, syscalls.KILL, 0, 9))
    for command in (8, 10, 15):
        assert refused(gpu_verdict(machine, syscalls.FCNTL, 1, command, PID))
    assert gpu_verdict(machine, syscalls.FCNTL, 1, 4, 0o4000) == syscalls.ALLOW
    assert gpu_verdict(machine, syscalls.IOCTL, 1, 0x5401) == syscalls.ALLOW
    for request in (0x5412, 0x8901, 0x8902):
        assert refused(gpu_verdict(machine, syscalls.IOCTL, 1, request))


@pytest.mark.parametrize("machine", MACHINES)
def test_other_architectures_are_killed_for_gpus_too(machine):
    """A call by another architecture's numbers ends the process; where there is no table, there is no filter"""
    program = fewer_calls.program(machine, PID)
    assert decide(program, 1, arch=0x40000003) == syscalls.KILL_PROCESS
    if machine == "x86_64":
        assert decide(program, 0x40000000 + 2) == syscalls.KILL_PROCESS
    with pytest.raises(ValueError, match="riscv64"):
        fewer_calls.program("riscv64", PID)


# The numbers

HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))


@pytest.mark.parametrize(("place", "header"), list(enumerate(HEADERS)), ids=MACHINES)
def test_numbers_are_the_kernels(place, header):
    """Every number in our tables and in the attacks' is the one in the kernel's own headers"""
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    text = header.read_text()
    real = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    real.setdefault("newfstatat", real.get("fstatat", -1))  # its older name
    source = (Path(__file__).parent / "attacks" / "arsenal.py").read_text()
    attacks = ast.literal_eval(re.search(r"^CALLS = (\{.*?^\})", source, re.MULTILINE | re.DOTALL)[1])
    rules = {name: getattr(syscalls, name) for name in ("CLONE", "CLONE3", "PRCTL", "IOCTL", "FCNTL", "KILL", "TGKILL")}
    rules = {name.lower(): pair for name, pair in rules.items()} | {"prlimit64": syscalls.PRLIMIT}
    tables = (syscalls.ALLOWED, fewer_calls.REFUSED, FORBIDDEN, attacks, rules)

    for table in tables:
        for name, numbers in table.items():
            if numbers[place] not in (None, fewer_calls.NONE) and name in real:
                assert numbers[place] == real[name], name
            assert name in real or numbers[place] in (None, fewer_calls.NONE) or numbers[place] > 440, name
