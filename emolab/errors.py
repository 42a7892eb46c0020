"""The two ways a command can end badly; both carry one sentence for the user."""

import errno
import os

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class EmolabError(Exception):
    """Base of the errors that emolab raises on purpose; `str(error)` is the sentence shown to the user."""

    exit_code = 1


class InputError(EmolabError):
    """The user gave something that cannot be used: names the file, the cause and the cure (exit code 2)."""

    exit_code = 2


class RunError(EmolabError):
    """A run that was asked for correctly failed (exit code 1)."""


def unwritten(path: str | os.PathLike, error: OSError) -> Exception:
    """What to raise where a file could not be written: a RunError where the disk is full, else the error itself."""
    if error.errno not in _FULL:
        return error
    cure = "make room, or write to another disk (--set outputs=FOLDER)"
    return RunError(f"{path} cannot be written ({error.strerror}); {cure}. What is done is kept: run again to go on.")
