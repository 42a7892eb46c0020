"""MiniGPT-4's second-stage data (cc_sbu_align): 3,439 general images with detailed captions, supplementary training
material in section 3.1.1."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from emolab.corpora.files import inside
from emolab.errors import InputError

FOLDER = "cc_sbu_align"


@dataclass(frozen=True)
class CaptionedImage:
    """One image (absolute path) with its caption."""

    image_id: str
    image: str
    caption: str


def annotations_of(root: str | Path) -> Path:
    """The file of annotations below the folder cc_sbu_align or the one above it."""
    root = Path(root).expanduser().absolute()
    return (root / FOLDER if (root / FOLDER).is_dir() else root) / "filter_cap.json"


def read_minigpt4(root: str | Path) -> tuple[list[CaptionedImage], list[str]]:
    """The captioned images of `filter_cap.json`, in its order, and the ids of those whose `image/<image_id>.jpg` is not
    there; `root` is the folder cc_sbu_align or the one above it.

    Raises InputError for another layout, a broken annotation, and where no image is there at all.
    """
    file = annotations_of(root)
    folder = file.parent
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        cure = "point corpus.minigpt4 at MiniGPT-4's cc_sbu_align"
        raise InputError(f"{file}: not found or not JSON ({type(error).__name__}); {cure}.") from None
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list) or not annotations:
        raise InputError(f'{file}: holds no list "annotations"; download it again.')
    images = [_image(folder, each, f"{file} annotation {number}") for number, each in enumerate(annotations, 1)]
    there = [image for image in images if os.path.isfile(image.image)]
    if not there:
        raise InputError(f"{folder / 'image'}: holds none of the {len(images)} images; unpack them there.")
    found = {image.image_id for image in there}
    return there, [image.image_id for image in images if image.image_id not in found]


def _image(folder: Path, row: object, where: str) -> CaptionedImage:
    image_id, caption = (row.get("image_id"), row.get("caption")) if isinstance(row, dict) else (None, None)
    if not isinstance(image_id, str | int) or not isinstance(caption, str) or not caption.strip():
        raise InputError(f"{where}: needs an image_id and a caption that is not empty; mend or delete it.")
    return CaptionedImage(str(image_id), inside(folder / "image", f"{image_id}.jpg", where), caption)
