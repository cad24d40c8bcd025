"""Tries the calls that only an administrator may make, with arguments that do no harm.

All are refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

nothing = ctypes.create_string_buffer(256)
for name, arguments in {
    "acct": (text("/no/such/file"),),
    "bpf": (99, nothing, 0),
    "adjtimex": (0,),
    "clock_settime": (99, nothing),
    "settimeofday": (0, 0),
    "delete_module": (text("no_such_module"), 0x800),
    "fanotify_init": (0, 0),
    "finit_module": (-1, nothing, 0),
    "init_module": (nothing, 0, nothing),
    "io_uring_setup": (0, nothing),
    "kexec_load": (0, 99, nothing, 99),
    "mount_setattr": (-1, nothing, 0, nothing, 0),
    "move_mount": (-1, nothing, -1, nothing, 0),
    "fsmount": (-1, 0, 0),
    "fsconfig": (-1, 99, 0, 0, 0),
    "open_by_handle_at": (-1, nothing, 0),
    "perf_event_open": (nothing, 0, -1, -1, 0),
    "quotactl": (-1, 0, 0, 0),
    "reboot": (1, 2, 3, 0),
    "sethostname": (nothing, 10**6),
    "setdomainname": (nothing, 10**6),
    "swapon": (text("/no/such/file"), 0),
    "syslog": (99, nothing, 0),
    "userfaultfd": (99,),
    "vhangup": (),
    "process_vm_writev": (1, nothing, 0, nothing, 0, 99),
    "kcmp": (1, 1, 99, 0, 0),
    "memfd_secret": (99,),
}.items():
    try:
        call(name, *arguments)
    except OSError as error:
        # The filter says EPERM whatever the arguments; the kernel itself would say what is wrong with them.
        if error.errno == 1:
            continue
        shout(f"{name} reached the kernel: {error}")
    shout(name)
