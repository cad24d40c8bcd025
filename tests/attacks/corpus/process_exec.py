"""Becomes another program.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

words = (ctypes.c_char_p * 2)(b"/bin/sh", None)
for path in ("/bin/true", sys.executable):
    if os.access(path, os.X_OK):
        refused(lambda path=path: os.posix_spawn(path, [path], {}))
refused(lambda: os.execv("/bin/false", ["/bin/false"]))
refused(lambda: call("execve", text("/bin/false"), words, 0))
refused(lambda: call("execveat", -100, text("/bin/false"), words, 0, 0))
