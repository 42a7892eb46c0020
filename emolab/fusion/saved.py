"""A fitted co-judgment as one safetensors file: arrays, and the rest as JSON in its header; nothing is pickled."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from scipy import sparse

from emolab.errors import InputError
from emolab.fusion.calibrated import Calibrated
from emolab.fusion.correction import Correction
from emolab.fusion.kernel_ridge import Regression
from emolab.fusion.meanings import Meanings
from emolab.fusion.text import BUCKETS, Words
from emolab.labels.wheel import Wheels

_FORMAT = "emolab-calibrated-1"
_OWN = ("named", "scale", "view_weights")
_REGRESSION = ("shares", "scales", "dual")
_CORRECTION = ("view_of", "kind_of", "prior", "means", "deviations", "coefficients")


def save(path: str | Path, model: Calibrated) -> None:
    """Write `path`, whole or not at all. It holds no clip ids and no texts, but vote shares and hashed word counts of
    the clips it was fitted to. The official wheel tables are not in it: who loads it needs the same edition."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = Path(path)
    parts = ((model, _OWN), (model.regression, _REGRESSION), (model.correction, _CORRECTION))
    arrays = {name: np.ascontiguousarray(getattr(part, name)) for part, names in parts for name in names}
    words = model.regression.words.tocsr()
    arrays |= {"words_data": words.data, "words_indices": words.indices, "words_indptr": words.indptr}
    if model.text:
        arrays |= {"text_buckets": model.text.buckets, "text_idf": model.text.idf}
    header = {
        "format": _FORMAT,
        "edition": model.meanings.wheels.edition,
        "views": model.meanings.views,
        "columns": model.meanings.columns,
        "vocabulary": model.vocabulary,
        "weights": {name: float(weight) for name, weight in model.weights.items()},
        "tradeoff": model.tradeoff,
        "most_words": model.most_words,
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        save_file(arrays, partial, {"emolab": json.dumps(header, ensure_ascii=False)})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:  # safetensors wraps the system's error
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error}); name a file in a folder you may write") from error


def load(path: str | Path, wheels: Wheels) -> Calibrated:
    """The model that `save` wrote. InputError for another file, and where it was fitted with other wheels."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {}).get("emolab", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise ValueError("another kind of safetensors file")
        if header["edition"] != wheels.edition:
            raise InputError(
                f"{path}: was fitted with the {header['edition']} emotion wheels, not {wheels.edition}; "
                "name the same tables and edition (none for emolab's own wheel)"
            )
        _check(header, arrays)
        text = Words(arrays["text_buckets"], arrays["text_idf"]) if "text_idf" in arrays else None
        sides = [arrays[f"words_{name}"] for name in ("data", "indices", "indptr")]
        words = sparse.csr_matrix(tuple(sides), shape=(len(arrays["shares"]), len(text.idf) if text else 0))
        words.check_format(full_check=True)  # a wrong index would read outside of memory
        own, regression, correction = (
            {name: arrays[name] for name in names} for names in (_OWN, _REGRESSION, _CORRECTION)
        )
        return Calibrated(
            meanings=Meanings(wheels, tuple(header["views"]), tuple(map(tuple, header["columns"]))),
            vocabulary=tuple(header["vocabulary"]), weights=header["weights"], text=text,
            regression=Regression(words=words, **regression), correction=Correction(**correction),
            tradeoff=header["tradeoff"], most_words=header["most_words"], **own,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); name a file that emolab fuse --save wrote") from error
    except (SafetensorError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path}: is no saved co-judgment ({error}); name a file that emolab fuse --save wrote"
        ) from error


def _check(header: dict, arrays: dict[str, np.ndarray]) -> None:
    """ValueError for what `save` cannot have written: numbers that are none, sizes that do not fit."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no finite number")
    m, columns, named = len(arrays["shares"]), len(header["columns"]), arrays["named"]
    kinds, features = arrays["means"].shape
    sizes = {
        "shares": (m, columns), "dual": (m, 2 * len(named)), "scale": (columns,), "scales": (2,), "prior": (columns,),
        "view_of": (columns,), "kind_of": (columns,), "view_weights": (len(header["views"]),),
        "deviations": (kinds, features), "coefficients": (kinds, features + 1, 2),
    }  # fmt: skip
    for name, size in sizes.items():
        if arrays[name].shape != size:
            raise ValueError(f"{name} is of size {arrays[name].shape}, not {size}")
    below = {"named": columns, "view_of": len(header["views"]), "kind_of": kinds, "text_buckets": BUCKETS}
    for name, end in below.items():
        if name in arrays and not ((arrays[name] >= 0) & (arrays[name] < end)).all():
            raise ValueError(f"{name} does not lie between 0 and {end}")
    if not all(isinstance(each, float) and each > 0 for each in header["weights"].values()):
        raise ValueError("weights are not numbers above 0")
    if not (0 < header["tradeoff"] < 1 and header["most_words"] >= 1 and header["vocabulary"]):
        raise ValueError("tradeoff, most_words or vocabulary is out of range")
