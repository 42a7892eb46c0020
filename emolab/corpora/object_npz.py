"""Label tables out of a pickled npz (MERTools' `label-6way.npz`), read so that nothing in the file can run."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from emolab.errors import InputError

Table = dict[str, dict[str, str | float | None]]


class _Noted:
    """A call that the pickle asks for, written down instead of made. Not even numpy's own functions are called: with a
    state of the file's choice they can be led to read foreign memory."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state


class _Array(_Noted): ...


class _Scalar(_Noted): ...


_KNOWN = {("numpy", "ndarray"): _Noted, ("numpy", "dtype"): _Noted}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # numpy 1 and 2
    _KNOWN |= {(_module, "_reconstruct"): _Array, (_module, "scalar"): _Scalar}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Noted]:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks to call {module}.{name}, which was refused")
        return _KNOWN[module, name]


def read_object_npz(path: str | Path, names: Sequence[str]) -> dict[str, Table]:
    """Name -> table `{clip: {what: text or number}}`, for those of `names` that the file holds; each is a pickled
    dictionary in an object array without dimensions, as `np.savez(file, name=dictionary)` writes it.

    Raises InputError for a file that cannot be read, for any other content, and for a pickle that asks for more than
    numpy's arrays and scalars: that is refused before anything of it is called.
    """
    try:
        with zipfile.ZipFile(path) as file:
            there = [name for name in names if f"{name}.npy" in file.namelist()]
            return {name: _table(file, name) for name in there}
    except Exception as error:  # a damaged pickle can end in nearly any of them
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: no table of labels ({why}); get it again from where it comes from.") from None


def _table(file: zipfile.ZipFile, name: str) -> Table:
    with file.open(f"{name}.npy") as member:
        version = npy.read_magic(member)
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = header(member)
        if shape or dtype != np.dtype(object):
            raise ValueError(f"{name} is an array of {dtype} of shape {shape}")
        (table,) = _Unpickler(member).load().state[4]  # version, shape, dtype, order, items
    return {_plain(clip): {_plain(what): _plain(value) for what, value in row.items()} for clip, row in table.items()}


def _plain(value: object) -> str | float | None:
    if isinstance(value, _Scalar):
        kind, raw = value.arguments
        letter, order = kind.arguments[0], kind.state[1]
        if not re.fullmatch(r"[Ufiub]\d{1,4}", letter):
            raise ValueError(f"a scalar of kind {letter!r}")
        return np.frombuffer(raw, np.dtype(order + letter), 1)[0].item()
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"a {type(value).__name__} where text or a number was expected")
