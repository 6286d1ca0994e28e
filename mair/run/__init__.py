"""A trial file in, a directory out: Papermill over the notebooks that a change concerns."""

import sys

# 0.7 s at the first Jupyter import: grammars for a format that no Jupyter schema uses.
sys.modules.setdefault("rfc3987_syntax", None)
