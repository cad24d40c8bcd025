"""Starts programs by every road that Python has.

All end in a call that is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

subprocess = import_for_real("subprocess") if "subprocess" in sys.modules else None
if os.system("true") == 0:
    shout("a shell")
refused(lambda: os.posix_spawn("/bin/true", ["true"], {}) and shout("spawned"))
refused(lambda: os.popen("true").read(), ImportError)
if subprocess:
    refused(lambda: subprocess.run(["/bin/true"], check=True))
