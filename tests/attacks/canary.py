"""A process that waits to be harmed: it holds a secret in its memory and tells of every signal that it gets.

Its first line says where the secret is. Then one line per signal: number and sender. SIGUSR2 is the test's own: when its
line has come, no earlier signal is still on its way.
"""

import ctypes
import os
import signal

secret = ctypes.create_string_buffer(os.environ["NNKIT_CANARY"].encode())
everything = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, everything)
print(ctypes.addressof(secret), flush=True)
while True:
    print(int(signal.sigwaitinfo(everything).si_signo), flush=True)
