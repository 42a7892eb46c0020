"""Single images of people, for captioning: listed in stills.jsonl, or all that lie below a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from emolab.corpora.files import as_text, files_below, inside, json_rows
from emolab.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# what Pillow may take an image's content for: all it knows would hold PostScript, which Ghostscript runs as a program
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


@dataclass(frozen=True)
class Still:
    """One image, named like a clip; `image` is its absolute path."""

    clip_id: str
    image: str


def listed_stills(root: str | Path) -> list[Still]:
    """The images of the corpus folder's `stills.jsonl` (`{"clip_id", "image"}`, paths inside the folder); none where
    there is no such file. Raises InputError naming file and line."""
    root = Path(root).absolute()
    if not (root / "stills.jsonl").exists():
        return []
    stills: dict[str, Still] = {}
    for where, row in json_rows(root / "stills.jsonl"):
        clip_id, image = row.get("clip_id"), row.get("image")
        if not (isinstance(clip_id, str) and clip_id and isinstance(image, str) and image):
            raise InputError(f"{where}: a still has a clip_id and an image, both text in quotes.")
        if clip_id in stills:
            raise InputError(f"{where}: clip_id {clip_id!r} stands twice; ids must be unique.")
        stills[clip_id] = Still(clip_id, inside(root, image, where))
    return list(stills.values())


def stills_below(root: str | Path) -> list[Still]:
    """All jpg, png and webp images below a folder, sorted; clip_id is the path below it without the ending (with it
    where two would be the same). Raises InputError where there is none."""
    root = Path(root).absolute()
    try:
        files = files_below(root, IMAGE_SUFFIXES)
    except OSError as error:
        raise InputError(f"{root}: cannot be read ({error.strerror}); check path and permissions.") from None
    if not files:
        raise InputError(f"{root}: holds no image; looked for {', '.join(IMAGE_SUFFIXES)}.")
    names = [file.relative_to(root) for file in files]
    bare = Counter(name.with_suffix("") for name in names)
    ids = [(name if bare[name.with_suffix("")] > 1 else name.with_suffix("")).as_posix() for name in names]
    return [Still(as_text(name), str(file)) for name, file in zip(ids, files, strict=True)]
