"""The image of a row: found, opened, made small."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from emolab.corpora.stills import IMAGE_FORMATS
from emolab.errors import InputError


def open_image(row: Mapping, images_root: str | Path, side: int) -> Image.Image:
    """The image of a row (`image`: a path below `images_root`, or an absolute one), RGB, at most `side` pixels a side.

    Raises InputError with one sentence: the row names no image, one outside of the folder, or one that cannot be read.
    """
    name = row.get("image")
    if not name:
        raise InputError(row.get("error") or "This row names no image.")
    try:
        path = Path(name)
        if not path.is_absolute():  # rows may come from others: "../../x" shows nothing
            root = Path(images_root).resolve()
            path = (root / path).resolve()
            if not path.is_relative_to(root):
                raise InputError(f"The image {name} lies outside of the images' folder and is not shown.")
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at a fraction of its size
            image = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise InputError(f"The image {name} is missing.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InputError(f"The image {name} cannot be read.") from None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """The image as the bytes of a JPEG file."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
