"""Run a command in another environment than this machine offers: `environments.py user,no_landlock -- command ...`.

    user            an ordinary user instead of root
    no_namespaces   new user namespaces are refused, and to root the others too
    half_namespaces a user namespace can be made, but not used: the user is not mapped into it
    no_landlock     a kernel without Landlock
    no_filters      a kernel without filters of system calls
    container       a container's default profile: no namespaces, no mounts, no tracing, no keys; fewer rights for root;
                    control groups that cannot be written

Nothing of this can be had without root, except the last three for an ordinary user, who has what they take away anyway.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # the kit's own table of machines

from nnkit.grader.sandbox import _libc, landlock, syscalls, view

USER = 65_433
PLACE = 0 if platform.machine() == "x86_64" else 1
NEW = syscalls.CLONE_NEW & ~0x80
# System calls, on x86_64 and aarch64.
UNSHARE, SETNS, CLONE, CLONE3 = (272, 97), (308, 268), (56, 220), (435, 435)
PRCTL, DROP_FROM_BOUNDING_SET = (157, 167), 24
LANDLOCK = ((444, 444), (445, 445), (446, 446))
REFUSED_IN_CONTAINERS = (
    (165, 40), (166, 39), (155, 41), (101, 117), (250, 219), (248, 217), (249, 218), (321, 280), (298, 241), (312, 272),
    (310, 270), (311, 271), (304, 265), (323, 282), (425, 425), (426, 426), (427, 427), (227, 112), (430, 430),
    (431, 431), (432, 432), (433, 433), (428, 428), (429, 429), (442, 442), (246, 104), (175, 105), (313, 273), (176, 106),
    (169, 142), (163, 89), (167, 224), (168, 225), (135, 92), (438, 438),
)  # fmt: skip
# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod,
# audit_write, setfcap: what root keeps in a container.
RIGHTS_IN_CONTAINERS = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}


def refuse(number, error=errno.EPERM):
    return [
        syscalls._step(syscalls.EQUAL, number[PLACE], 0, 1),
        syscalls._step(syscalls.RETURN, 0x00050000 | error),
    ]


def refuse_flags(number, flags):
    """Refuse a call whose first argument has one of the flags."""
    inside = [
        syscalls._low(0), syscalls._step(syscalls.ANY_BIT, flags, 0, 1), syscalls._step(syscalls.RETURN, syscalls.REFUSE),
        syscalls._step(syscalls.RETURN, syscalls.ALLOW),
    ]  # fmt: skip
    return [syscalls._step(syscalls.EQUAL, number[PLACE], 0, len(inside)), *inside]


def program(wanted):
    steps = [
        syscalls._step(syscalls.LOAD, syscalls.ARCH_AT),
        syscalls._step(syscalls.EQUAL, syscalls.AUDIT_ARCH[platform.machine()], 1, 0),
        syscalls._step(syscalls.RETURN, syscalls.ALLOW),
        syscalls._step(syscalls.LOAD, syscalls.NUMBER_AT),
    ]
    if {"no_namespaces", "container"} & wanted:
        steps += [*refuse(CLONE3, errno.ENOSYS), *refuse(UNSHARE), *refuse(SETNS), *refuse_flags(CLONE, NEW)]
    if "no_landlock" in wanted:
        steps += [step for number in LANDLOCK for step in refuse(number, errno.ENOSYS)]
    if "no_filters" in wanted:
        steps += refuse((317, 277), errno.ENOSYS)
    if "container" in wanted:
        steps += [step for number in REFUSED_IN_CONTAINERS for step in refuse(number)]
    return b"".join([*steps, syscalls._step(syscalls.RETURN, syscalls.ALLOW)])


def install(steps):
    """Install a filter, as root without giving up what setuid programs gain: a container's profile does not either."""
    if os.geteuid() != 0:
        _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)
    syscalls.install(steps)


def drop_rights():
    """Give up, for every program to come, the rights that root does not have in a container."""
    for right in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        if right not in RIGHTS_IN_CONTAINERS:
            _libc.call(PRCTL[PLACE], DROP_FROM_BOUNDING_SET, right, 0, 0, 0, what="drop a right")


def forbid_writing_to_proc():
    """Have a user namespace made and then nobody mapped into it, as where a security module refuses that half only."""
    write = ctypes.c_char_p(struct.pack("<Q", landlock.WRITE_FILE))
    rules = _libc.call(landlock.CREATE_RULESET, write, 8, 0, what="landlock_create_ruleset")
    for folder in Path("/").iterdir():
        if folder.name != "proc" and not folder.is_symlink() and os.access(folder, os.R_OK):
            landlock._grant(rules, str(folder), landlock.WRITE_FILE)
    _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)
    _libc.call(landlock.RESTRICT_SELF, rules, 0, what="landlock_restrict_self")
    os.close(rules)


def become_user():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)


def main():
    names, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    wanted = set(names.split(","))
    assert wanted <= {"user", "no_namespaces", "no_landlock", "no_filters", "half_namespaces", "container"}, __doc__
    root = os.geteuid() == 0
    if root:
        view.leave()
        if "container" in wanted and Path("/sys/fs/cgroup").exists():
            view.cover(Path("/sys/fs/cgroup"))
        if {"user", "container"} & wanted:  # in these, other users can read Python and the kit
            view.open_way_to([sys.prefix, sys.base_prefix, str(Path(syscalls.__file__).parents[3])])
        if "container" in wanted:
            drop_rights()
    # The filter comes before the change of user: afterwards it could only be had without new privileges.
    if wanted - {"user"}:
        install(program(wanted))
    if root and "user" in wanted:
        become_user()
    if "half_namespaces" in wanted:
        forbid_writing_to_proc()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
