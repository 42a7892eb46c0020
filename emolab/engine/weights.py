"""Where a model's weights lie, what they are, and whether they may be loaded. No torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from emolab.engine.settings import ModelSettings
from emolab.errors import InputError

SHIPPED = Path(__file__).parent.parent / "demo" / "checkpoints"


def local_folder(settings: ModelSettings) -> Path | None:
    """The folder of the weights, or None when `path` is a hub id. Raises InputError for a folder that is not there."""
    if settings.path.startswith("shipped:"):
        folder = SHIPPED / settings.path.removeprefix("shipped:")
    elif settings.path.startswith((".", "/", "~")) or Path(settings.path).is_dir():
        folder = Path(settings.path).expanduser().resolve()
    else:
        return None
    if not (folder / "config.json").is_file():
        have = ", ".join(sorted(p.name for p in SHIPPED.glob("*"))) or "none"
        raise InputError(f"{settings.path}: no model there (no config.json); shipped with emolab: {have}.")
    return folder


def resolve(settings: ModelSettings) -> Path:
    """The local folder of the weights, fetched from the hub (or its cache) where `path` is a hub id.

    Raises InputError when the model cannot be had, or brings its own code and the profile does not trust it: ms-swift
    itself would run such code unasked.
    """
    if not settings.path:
        raise InputError("The profile names no model (internvl.path is empty); set one with --set internvl.path=...")
    folder = local_folder(settings)
    if folder is None:
        folder = _from_hub(settings)
    code = None if settings.trust_remote_code else _own_code(folder)
    if code:
        raise InputError(
            f"{settings.path}: {code} is code that comes with the weights; if you trust it, set "
            "trust_remote_code: true for this model in the profile."
        )
    return folder


def pickled(folder: Path) -> InputError:
    """The sentence for weights that torch's loader refuses, as they hold more than tensors."""
    return InputError(
        f"{folder}: its weights are damaged, or hold Python objects besides tensors, which emolab never unpickles; "
        "take a checkpoint with safetensors."
    )


def _own_code(folder: Path) -> str | None:
    """The first file that holds code or asks for some: Python, or `auto_map` at any depth of a configuration."""
    for path in sorted(folder.rglob("*.py")):
        return path.relative_to(folder).as_posix()
    for path in sorted(folder.rglob("*.json")):
        if path.stat().st_size < 4_000_000 or "config" in path.name:  # not the vocabularies
            try:
                if _holds(json.loads(path.read_text(encoding="utf-8")), "auto_map"):
                    return f"{path.relative_to(folder).as_posix()} (auto_map)"
            except (ValueError, RecursionError):
                raise InputError(f"{path}: cannot be read as JSON; download the model again.") from None
    return None


def _holds(value: object, key: str) -> bool:
    if isinstance(value, dict):
        return key in value or any(_holds(each, key) for each in value.values())
    return isinstance(value, list) and any(_holds(each, key) for each in value)


def _from_hub(settings: ModelSettings) -> Path:
    try:
        from swift.utils import safe_snapshot_download

        return Path(safe_snapshot_download(settings.path, use_hf=settings.use_hf))
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed, and models need it; pip install -e '.[models]'.") from None
    except Exception as error:
        raise InputError(
            f"{settings.path}: neither a folder nor to be had from the hub ({type(error).__name__}); check name and "
            "network, or download it and give the folder."
        ) from None


_known: dict[tuple, str] = {}


def fingerprint(folder: Path) -> str:
    """A short hash over names and contents of a folder's files: the identity of weights, tokenizer and settings.

    Remembered while sizes and times of change stay the same: weights may be retrained while a notebook is open.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md")
    stamp = (folder, *((p, p.stat().st_size, p.stat().st_mtime_ns) for p in files))
    if stamp not in _known:
        digest = hashlib.blake2b(digest_size=8)
        for path in files:
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        _known[stamp] = digest.hexdigest()
    return _known[stamp]


RECORD = "emolab.json"  # what weights that emolab trained say of themselves


def identity(settings: ModelSettings, folder: Path) -> str:
    """What goes into a row as `model`: name and fingerprint, with the adapter's where there is one.

    Raises InputError for an adapter that is not there, or was trained on other weights.
    """
    name = f"{settings.path.removeprefix('shipped:').rstrip('/').rsplit('/', 1)[-1]}@{fingerprint(folder)}"
    if settings.adapter:
        adapter = Path(settings.adapter).expanduser()
        check_adapter(adapter, folder)
        name += f"+{adapter.name}@{fingerprint(adapter.resolve())}"
    return name


def check_adapter(adapter: Path, base: Path) -> None:
    """Raise InputError where a LoRA folder is not finished, or was trained on another base."""
    if not is_whole(adapter):
        raise InputError(
            f"{adapter}: no adapter there (adapter_config.json with a whole adapter_model.safetensors); give a "
            "finished LoRA folder."
        )
    record = adapter_record(adapter)
    if record and record.get("base_fingerprint", "") not in ("", fingerprint(base)):
        raise InputError(
            f"{adapter}: was trained on {record.get('base')}, but the base given is {base.name}@{fingerprint(base)}; "
            "give that base, or train again."
        )


def is_whole(folder: Path, config: str = "adapter_config.json", weights: str = "adapter_model.safetensors") -> bool:
    """Whether a folder holds trained weights that were written to their end: a LoRA adapter, unless other names say
    otherwise."""
    from safetensors import SafetensorError, safe_open

    try:
        json.loads((folder / config).read_text(encoding="utf-8"))
        with safe_open(folder / weights, framework="np") as tensors:
            return bool(tensors.keys())
    except (OSError, ValueError, SafetensorError):
        return False


def adapter_record(adapter: Path) -> dict | None:
    """What emolab wrote beside an adapter that it trained (base, data, seed, settings, steps, trained_on); None for
    one that was trained elsewhere: then peft itself compares the shapes."""
    path = adapter / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{path}: cannot be read as a JSON object; train the adapter again.")
    return record
