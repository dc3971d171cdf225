"""Reading source whatever else a process holds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without garbage collection: CPython 3.11's parser fails when a finalizer parses too, as a traceback's text does.

    What becomes of a source must not depend on what is collected meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
