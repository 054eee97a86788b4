"""Imported first, it leaves Python's collector at rest while a process loads its modules.

What is loaded stays: looking through it again and again is a sixth of the start. Who serves for
long wakes the collector (`gc.enable`) when all is loaded; who ends soon need not.
"""

from __future__ import annotations

import gc

gc.disable()
