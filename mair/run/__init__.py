"""A trial file in, a directory out: Papermill over the notebooks that a change concerns."""

import atexit
import gc
import sys

# 0.7 s at the first Jupyter import: grammars for a format that no Jupyter schema uses.
sys.modules.setdefault("rfc3987_syntax", None)
# Looking for cycles, of which there are few, takes a fifth of the time of loading libraries and
# most of the time in which a process ends.
gc.set_threshold(100_000, 50, 50)
atexit.register(gc.freeze)
