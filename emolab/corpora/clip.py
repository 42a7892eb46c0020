"""The row that every stage starts from."""

from __future__ import annotations

from dataclasses import dataclass, fields

from emolab.errors import InputError

SIX_WAY = ("neutral", "angry", "happy", "sad", "worried", "surprise")  # MER2024-SEMI's classes in its order


@dataclass(frozen=True)
class Clip:
    """One video of a person. Paths are absolute; what is not known is None.

    `labels` are open-vocabulary words, `emotion` one of SIX_WAY.
    """

    clip_id: str
    video: str | None = None
    audio: str | None = None
    transcript: str = ""
    language: str = "english"
    split: str | None = None  # train | valid | test
    labels: tuple[str, ...] | None = None
    description: str | None = None
    emotion: str | None = None
    corpus: str = ""
    speaker: str | None = None

    @classmethod
    def from_row(cls, row: dict, where: str) -> Clip:
        """A clip from a JSON object; `where` names file and line in the error. Raises InputError."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(row) - known)
        if unknown:
            raise InputError(f"{where}: unknown column {unknown[0]!r}; a clip has {', '.join(sorted(known))}.")
        if not isinstance(row.get("clip_id"), str) or not row["clip_id"]:
            raise InputError(f'{where}: clip_id must be a non-empty string; quote ids such as "00123".')
        if not row["clip_id"].isprintable() or any("\ud800" <= letter <= "\udfff" for letter in row["clip_id"]):
            raise InputError(
                f"{where}: clip_id {row['clip_id']!r} holds signs that cannot be written; rename the clip."
            )
        for key in known - {"clip_id", "labels"}:
            if row.get(key) is not None and not isinstance(row[key], str):
                raise InputError(f"{where}: {key} is {row[key]!r}; it must be text (in quotes) or null.")
        labels = row.get("labels")
        if labels is not None and not (isinstance(labels, list) and all(isinstance(w, str) for w in labels)):
            raise InputError(f"{where}: labels must be a list of strings or null.")
        filled = {"transcript": row.get("transcript") or "", "language": row.get("language") or "english"}
        return cls(**{**row, **filled, "corpus": row.get("corpus") or "", "labels": labels and tuple(labels)})
