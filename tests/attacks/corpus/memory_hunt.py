"""Searches all objects of its process for the hidden tests and the course's secret.

They live in another process; the honest functions earn everything.
"""
# earns: all

from arsenal import *

words = ["secnereffid_tsniaga_stneidarg_tset"[::-1], "enola_stupni_sevael_tressa"[::-1], T.secret_backwards[::-1]]
for entry in everything(str):
    if any(word in entry and word is not entry for word in words):
        shout(f"found {entry[:200]!r}")
for name in ("tsetyp", "sdees.redarg.tiknn", "nigulp.redarg.tiknn", "erapmoc.redarg.tiknn"):
    if name[::-1] in sys.modules:
        shout(f"{name[::-1]} is loaded here")
