"""One file of features: a clip's tensors by name, what they are of, and a checksum, in safetensors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from emolab.errors import InputError, RunError
from emolab.whole import whole

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "uint8": torch.uint8}


class CacheError(InputError):
    """A file of features cannot be used: one sentence with the file, the cause and the cure."""


@dataclass(frozen=True)
class Features:
    """The tensors of a clip by name, without those that it has no input for; `problems` says why."""

    tensors: dict[str, torch.Tensor]
    problems: tuple[str, ...] = ()


def write_features(path: Path, identity: str, features: Features) -> None:
    """Write the features that the encoder `identity` made; the file knows its own name. Raises RunError where it cannot
    be written."""
    said = {"key": path.stem, "identity": identity, "problems": list(features.problems)}
    # one entry: safetensors writes several in any order
    content = save(features.tensors, {"emolab": json.dumps(said | {"sha256": _digest(said, features.tensors)})})
    try:
        with whole(path) as partial:
            partial.write_bytes(content)  # no fsync: after a power cut the checksum tells, and one clip is made anew
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room or give another folder.") from None


def read_features(path: Path, identity: str, clip_id: str) -> Features:
    """The features of a clip. Raises CacheError where they are not there, damaged, of other inputs or of another
    encoder than `identity`."""
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {}).get("emolab", "{}"))
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # copies: no mapping stays open
    except FileNotFoundError:
        raise CacheError(f"{clip_id} has no features in {path.parent}; compute them first.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CacheError(f"{path} cannot be read ({error}); compute the features again.") from None
    checksum = said.pop("sha256", "")
    if _digest(said, tensors) != checksum:
        raise CacheError(f"{path} is damaged (its checksum does not fit); compute the features again.")
    if said["key"] != path.stem or said["identity"] != identity:
        raise CacheError(
            f"{path} holds features of other inputs or of another encoder ({said['identity']}, not {identity}); "
            "compute the features again."
        )
    return Features(tensors, tuple(said["problems"]))


def _digest(said: dict, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over everything that a file says and holds."""
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
