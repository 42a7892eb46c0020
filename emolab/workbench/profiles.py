"""From a profile's name to typed settings: defaults < profile file < `--set key=value`."""

import difflib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emolab import extensions
from emolab.errors import InputError
from emolab.workbench.places import profile_folders, project_folder, shown
from emolab.workbench.settings import Settings

Overrides = Sequence[str] | Mapping[str, Any] | str | None
# the forms in which services hand out keys, as words of their own: names and paths may begin like one
_MIXED = r"(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])"
_FORMS = (
    "hf_[A-Za-z0-9]{34}",
    "gh[pousr]_[A-Za-z0-9]{36,}",
    "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    r"sk-(?=[A-Za-z]*\d)[A-Za-z0-9]{32,}",
    "sk-or-v1-[0-9a-f]{64}",
    rf"sk-(?:proj|ant|svcacct|admin)-{_MIXED}[\w-]{{40,}}",
    rf"wandb_v\d_{_MIXED}\w{{60,}}",
)
_KEY = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FORMS)})(?![\w./-])", re.ASCII)
# what a user types for the published predictions, whose profile has no other settings to fill in
_SHORT = {"predictions": "fusion.predictions", "truth": "fusion.truth", "tables": "scoring.tables"}


def load_profile(name_or_path: str | Path, overrides: Overrides = None) -> Settings:
    """Read a profile (a name such as `demo`, or the path of a YAML file) and check it against `Settings`.

    `overrides`: `key=value` strings (one string of several is split like a shell) or a mapping with dotted
    or nested keys. A text setting given by `key=value` is taken as typed (00123 stays 00123); in YAML it must
    be in quotes where YAML would read a number. The project's extensions are loaded first: settings may name what
    they register. Raises InputError: unknown profile or key, bad value, broken extension.
    """
    extensions.load(project_folder())
    path = find_profile(name_or_path)
    config = OmegaConf.structured(Settings(profile=path.stem, about=""))
    for key, value in _leaves(_read(path), where=shown(path)):
        _set(config, key, value, shown(path))
    for key, value in _given(overrides):
        _set(config, key, value, "settings")
    try:
        settings = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(f"{shown(path)}: {_first_line(error)}") from error
    if not settings.about:
        raise InputError(f"{shown(path)}: 'about' is missing, the line that says what the profile is for")
    return settings


def flatten(settings: Settings) -> dict[str, Any]:
    """Dotted key → value of every setting."""
    return dict(_leaves(OmegaConf.to_container(OmegaConf.structured(settings)), where="settings"))


def known_profiles() -> dict[str, Path]:
    """Profile name → file; a project's own profile goes before emolab's of the same name."""
    files = [file for folder in reversed(profile_folders()) for file in sorted(folder.glob("*.yaml"))]
    return {file.stem: file for file in files}


def find_profile(name_or_path: str | Path) -> Path:
    """The file of a profile; its stem names the output folder. InputError names the known ones."""
    text = str(name_or_path)
    path = Path(text).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        known = known_profiles()
        if text not in known:
            raise InputError(f"unknown profile '{text}'{_meant(text, known)}: known are {', '.join(sorted(known))}")
        return known[text]
    if not path.is_file():
        raise InputError(f"no profile file {text}: give a name ({', '.join(sorted(known_profiles()))}) or a YAML file")
    if not re.fullmatch(r"[\w-]+", path.stem):
        raise InputError(f"profile file {text}: name it with letters, digits, - and _ only, it names a folder")
    return path.absolute()


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):  # a few lines of them fill the memory
            raise InputError(f"{shown(path)}: has a YAML alias (*name); write the value out")
        config = OmegaConf.create(text)  # OmegaConf's YAML: 3e-4 is a number, a repeated key is an error
        return OmegaConf.to_container(config)
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"cannot read profile {shown(path)}: {_first_line(error)}") from error


def _given(overrides: Overrides) -> Iterator[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        yield from _leaves(overrides, where="settings")
        return
    try:
        pairs = shlex.split(overrides) if isinstance(overrides, str) else list(overrides or [])
    except ValueError as error:
        raise InputError(f"settings {overrides!r}: {error}") from error
    for pair in pairs:
        key, equals, text = str(pair).partition("=")
        if not equals:
            raise InputError(f"setting '{pair}' should be key=value, for example seed=7")
        key = _SHORT.get(key.strip(), key.strip())
        yield key, _from_text(key, text)


def _leaves(tree: Any, where: str, above: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        raise InputError(f"{where}: expected 'key: value' lines{f' below {above[:-1]}' if above else ''}")
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, where, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _from_text(key: str, text: str) -> Any:
    """The value that `key=text` means: text stays text, `null` empties an optional one, lists are YAML."""
    kind = _kinds().get(key)
    if text in ("null", "None") and _optional(kind):
        return None
    if get_origin(kind) in (list, dict):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"setting {key}={text}: {_first_line(error)}") from error
    return text


def _set(config: DictConfig, key: str, value: Any, where: str) -> None:
    kinds = _kinds()
    if key == "profile":
        raise InputError(f"{where}: the profile's name is its file's name, not a setting; choose it with --profile")
    if key not in kinds:
        raise InputError(f"{where}: unknown setting '{key}'{_meant(key, kinds)}")
    if kinds[key] in (str, str | None) and value is not None and not isinstance(value, str):
        raise InputError(f"{where}: {key} is text but {value!r} is not; put it in quotes")
    if _KEY.search(str(value)):
        raise InputError(
            f"{where}: {key} looks like a key, and settings are written to run.json and notebooks; give keys in the "
            "environment (HF_TOKEN, EMOLAB_API_KEY, WANDB_API_KEY)"
        )
    if "${" in str(value):  # OmegaConf would put in other settings, or what the environment holds
        raise InputError(f"{where}: {key} is {value!r}, but ${{...}} is not followed; write the value itself")
    try:
        OmegaConf.update(config, key, value)
    except OmegaConfBaseException as error:
        raise InputError(f"{where}: {key}: {_first_line(error)}") from error


def _kinds(kind: type = Settings, above: str = "") -> dict[str, Any]:
    """Dotted key → type of every setting."""
    hints, found = get_type_hints(kind), {}
    for entry in fields(kind):
        hint = hints[entry.name]
        found.update(_kinds(hint, f"{above}{entry.name}.") if is_dataclass(hint) else {above + entry.name: hint})
    return found


def _optional(kind: Any) -> bool:
    return isinstance(kind, UnionType) and type(None) in get_args(kind)


def _meant(word: str, known: Mapping[str, Any]) -> str:
    """`; did you mean …?` for a slip of the pen, also where only the last part of a dotted key was given."""
    ends = [key for key in known if key.rpartition(".")[2] == word.rpartition(".")[2]]
    ends.sort(key=lambda key: key.count("."))
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    near = near or ends if "." in word else ends or near
    return f"; did you mean {' or '.join(near[:3])}?" if near else ""


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("full_key:")[0].split())
