"""The predictions that are fused: one member for each prediction file, over the clips of all of them together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emolab.errors import InputError
from emolab.labels.parse import parse_label_cell
from emolab.scoring.files import ID_COLUMNS, Cell, label_rows
from emolab.scoring.grouping import clean_labels

_SUFFIX = "-openset"  # of the published prediction files; their descriptions lie beside them in VARIANT-reason.jsonl
_REASONS = "-reason"
_ENDINGS = (".csv", ".npz", ".jsonl")
_TEXT_KEYS = ("text", "reason")


@dataclass(frozen=True, eq=False)
class Member:
    """What one model, or one variant of it, said.

    `labels`: clip id -> labels, lower-cased, in order. A clip that is not there was not asked or failed, which is no
    vote for or against anything; an empty list is an answer. `texts`: clip id -> description, where there is one;
    `probabilities`: clip id -> label -> probability, of a discriminative model.
    """

    name: str
    labels: Mapping[str, Sequence[str]]
    texts: Mapping[str, str] = field(default_factory=dict)
    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    repeated: int = 0  # rows of a clip that had one already; their new labels were spliced to the first ones


@dataclass(frozen=True, eq=False)
class Panel:
    """Several members and the clips that any of them judged, in order of first appearance."""

    members: tuple[Member, ...]
    clip_ids: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    def answered(self, clip: str) -> bool:
        """Whether any member answered for a clip."""
        return any(clip in member.labels for member in self.members)

    def pick(self, names: Iterable[str]) -> Panel:
        """The panel of some members, on all clips of this one. InputError for a name that none has, and for none."""
        by_name = {member.name: member for member in self.members}
        names = list(dict.fromkeys(names))
        for name in names:
            if name not in by_name:
                raise InputError(f"no prediction is called {name!r}; known are {', '.join(by_name)}")
        if not names:
            raise InputError("no prediction is chosen; name at least one")
        return Panel(tuple(by_name[name] for name in names), self.clip_ids)

    def on(self, clip_ids: Iterable[str]) -> Panel:
        """The same members on some of the clips, in the order given."""
        return Panel(self.members, tuple(clip_ids))


def make_panel(members: Sequence[Member]) -> Panel:
    """A panel of members. InputError for none, and for two of one name."""
    if not members:
        raise InputError("there are no predictions to fuse; name at least one prediction file")
    names = [member.name for member in members]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two predictions are called {name!r}; tell them apart as NAME=FILE")
    return Panel(tuple(members), tuple(dict.fromkeys(clip for member in members for clip in member.labels)))


def by_model(panel: Panel) -> Panel:
    """The variants of each model (MODEL/VARIANT) as one member, which said what any of them said."""
    models: dict[str, list[Member]] = {}
    for member in panel.members:
        models.setdefault(member.name.partition("/")[0], []).append(member)
    members = []
    for name, variants in models.items():
        asked = dict.fromkeys(clip for each in variants for clip in each.labels)
        said = {clip: clean_labels(word for each in variants for word in each.labels.get(clip, ())) for clip in asked}
        members.append(Member(name, said))
    return Panel(tuple(members), panel.clip_ids)


def member_of_rows(name: str, rows: Iterable[Mapping]) -> Member:
    """A member of Prediction rows (clip_id, labels, text, error, and probabilities where the model gives some). A row
    with an error is no answer; several rows of a clip are spliced, new labels after the first ones."""
    labels: dict[str, list[str]] = {}
    texts, probabilities, repeated = {}, {}, 0
    for row in rows:
        if row.get("error"):
            continue
        clip = row["clip_id"]
        repeated += clip in labels
        labels[clip] = clean_labels([*labels.get(clip, ()), *(row["labels"] or ())])
        if row.get("text"):
            texts[clip] = f"{texts[clip]} {row['text']}" if clip in texts else row["text"]
        if row.get("probabilities"):
            probabilities[clip] = {label.strip().lower(): chance for label, chance in row["probabilities"].items()}
    return Member(name, labels, texts, probabilities, repeated)


def read_panel(paths: Sequence[str | Path], cell: Cell = parse_label_cell) -> Panel:
    """A panel of prediction files (csv, jsonl or npz as `read_labels` takes them), or of folders of such files.

    A file is called by its stem, as FOLDER/STEM below a given folder, in the published layout and where stems repeat,
    or as `NAME=FILE` says. A clip that stands in several rows has their labels spliced. Descriptions are the `text`
    (or `reason`) of JSON lines, and for `VARIANT-openset.npz` of the file `VARIANT-reason.jsonl` beside it. InputError
    for what cannot be read.
    """
    files: list[tuple[str | None, Path, str]] = []  # name that was given, file, name
    for given in map(str, paths):
        name, equals, path = given.partition("=")
        if not equals or "/" in name or Path(given).exists():
            name, path = None, given
        if not Path(path).exists():
            raise InputError(f"{path}: is not there; name a prediction file, or a folder of them")
        if name and Path(path).is_dir():
            raise InputError(f"{given}: names a folder of predictions; give it without a name, or name its files")
        if Path(path).is_dir():
            files += [(None, each, _name_of(each, each.parent != Path(path))) for each in prediction_files(path)]
        else:
            files.append((name, Path(path), name or _name_of(Path(path))))
    places = [path.resolve() for _, path, _ in files]
    twice = [path for path in places if places.count(path) > 1]
    if twice:
        raise InputError(f"{twice[0]}: is named twice; a file votes once")
    names = [called for _, _, called in files]
    return make_panel(
        [
            read_member(path, _name_of(path, True) if not given and names.count(called) > 1 else called, cell)
            for given, path, called in files
        ]
    )


def _name_of(path: Path, below: bool = False) -> str:
    """MODEL/VARIANT of a file in the published layout or `below` a folder of predictions, else the stem."""
    stem = path.stem.removesuffix(_SUFFIX)
    return f"{path.parent.name}/{stem}" if below or stem != path.stem else stem


def prediction_files(folder: str | Path) -> list[Path]:
    """The prediction files in a folder and one level below it, as MODEL/VARIANT-openset.npz lie, by name. InputError
    where there is none."""
    folder = Path(folder)
    found = [*folder.glob("*"), *folder.glob("*/*")]
    kept = [path for path in found if path.suffix.lower() in _ENDINGS and not path.stem.endswith(_REASONS)]
    if not kept:
        raise InputError(
            f"{folder}: holds no prediction file; expected MODEL/VARIANT-openset.npz as published, or csv, jsonl, npz"
        )
    return sorted(kept)


def read_member(path: str | Path, name: str, cell: Cell = parse_label_cell) -> Member:
    """One prediction file as a member, see `read_panel`."""
    path = Path(path)
    labels: dict[str, list[str]] = {}
    repeated = 0
    for _, clip, value in label_rows(path, cell):
        repeated += clip in labels
        labels[clip] = clean_labels([*labels.get(clip, ()), *value])
    if path.suffix.lower() == ".jsonl":
        found = member_of_rows(name, _rows(path))
        labels = {clip: each for clip, each in labels.items() if clip in found.labels}  # not those with an error
        return Member(name, labels, found.texts, found.probabilities, repeated)
    beside = path.with_name(path.stem.removesuffix(_SUFFIX) + f"{_REASONS}.jsonl")
    texts = {}
    if path.stem.endswith(_SUFFIX) and beside.exists():
        told = member_of_rows(name, _rows(beside)).texts
        texts = {clip: text for clip, text in told.items() if clip in labels}
    return Member(name, labels, texts, repeated=repeated)


def _rows(path: Path) -> list[dict]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error}); save it again as UTF-8") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is not JSON; expected one object a line") from error
        rows.append(_as_prediction(path, number, row))
    return rows


def _as_prediction(path: Path, number: int, row: object) -> dict:
    """clip_id, text, probabilities and error of a row; its labels are read elsewhere."""
    row = row if isinstance(row, dict) else {}
    clip = next((row[key] for key in ID_COLUMNS if key in row), None)
    text = next((row[key] for key in _TEXT_KEYS if isinstance(row.get(key), str)), "")
    chances = row.get("probabilities")
    if not isinstance(clip, str):
        raise InputError(f"{path}: line {number} has no text clip_id; expected clip_id (or name) and text (or reason)")
    if chances is not None and not (
        isinstance(chances, dict)
        and all(isinstance(value, int | float) and 0 <= value <= 1 for value in chances.values())
    ):
        raise InputError(f"{path}: line {number}: probabilities are no object of label -> number from 0 to 1")
    return {"clip_id": clip.strip(), "labels": (), "text": text, "probabilities": chances, "error": row.get("error")}
