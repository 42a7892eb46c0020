"""Files that are whole or absent: written under a name beside their own, renamed when they are complete."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emolab.errors import unwritten


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The name to write to instead of `path`. What was written is renamed to `path` at the end of the block, and
    removed where the block fails. Threads and processes may write one file at a time: the last of them stays.

    Raises RunError where the disk is full, OSError where the file cannot be written for other reasons. What a killed
    process leaves behind is called `.*.partial`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise unwritten(path, error) from None
    finally:
        partial.unlink(missing_ok=True)
