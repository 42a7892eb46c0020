"""Whether the installed stack can load a model, told before a long run instead of in the middle of it."""

from __future__ import annotations

import difflib
import importlib
import json
import os

from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.errors import InputError

# what the code that comes with a family's weights imports, where that breaks with some versions of transformers
OWN_IMPORTS = {"qwen_vl": "transformers_stream_generator.main"}
UNUSED = ("decord", "timm")  # ms-swift asks for them, but videos are decoded here and no towers of timm are loaded


def unsupported(settings: ModelSettings) -> str | None:
    """Why ms-swift cannot load a model of this family here (unknown name, other package versions wanted), or None.

    Takes seconds: imports ms-swift and with it torch. The weights themselves are not looked at.
    """
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    try:
        from swift.model import MODEL_MAPPING
        from transformers.utils.versions import require_version
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed; pip install -e '.[models]'"
    family = settings.model_type
    if family is None:
        return None  # ms-swift finds it out from the weights
    if family not in MODEL_MAPPING:
        return f"model_type {family!r} is unknown to the installed ms-swift; it has {_near(family, MODEL_MAPPING)}"
    meta = MODEL_MAPPING[family]
    wanted = [*meta.requires]
    for group in meta.model_groups:  # the sizes of a family may want different versions
        if any(settings.path in (model.hf_model_id, model.ms_model_id) for model in group.models):
            wanted += group.requires or []
    for requirement in wanted:
        if requirement.startswith(UNUSED):
            continue
        try:
            require_version(requirement)
        except ImportError as error:  # another version, or none
            return f"{family} needs {requirement} ({' '.join(str(error).split())[:120]})"
    return _broken_import(family) or _unknown_architecture(settings)


def require_support(**models: ModelSettings) -> None:
    """Raise InputError naming every model (setting -> model) that is not named or cannot be loaded here."""
    problems = {name: unsupported(model) if model.path else "no model is named" for name, model in models.items()}
    told = {name: f"{name} ({models[name].path or 'empty'}): {why}" for name, why in problems.items() if why}
    if told:
        cure = f"Choose another model in the profile, or --set {next(iter(told))}.path=…"
        raise InputError(f"{'; '.join(told.values())}. {cure}")


def _broken_import(family: str) -> str | None:
    module = OWN_IMPORTS.get(family)
    try:
        if module:
            importlib.import_module(module)
    except ImportError as error:
        return f"{family}'s own code imports {module}, which fails here ({' '.join(str(error).split())[:90]})"
    return None


def _unknown_architecture(settings: ModelSettings) -> str | None:
    """Whether a local checkpoint wants a class that the installed transformers lacks."""
    try:
        folder = local_folder(settings)
    except InputError:
        return None  # there are no weights at all, which is another finding
    if folder is None or settings.trust_remote_code:
        return None
    import transformers

    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError) as error:
        return f"{folder / 'config.json'} cannot be read ({type(error).__name__})"
    missing = [name for name in names if not hasattr(transformers, name)]
    return f"transformers {transformers.__version__} has no {missing[0]}" if missing else None


def _near(name: str, known) -> str:
    return ", ".join(difflib.get_close_matches(name, known, n=4, cutoff=0.4)) or "no name like it"
