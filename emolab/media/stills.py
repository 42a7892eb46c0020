"""Still images as models see them: upright, in colour."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from emolab.corpora.stills import IMAGE_FORMATS
from emolab.media.errors import MediaError


def open_still(path: str | os.PathLike) -> tuple[Image.Image, bool]:
    """The picture as RGB, upright, and whether the camera had turned it (its file shows it otherwise to who takes no
    notice of EXIF). Raises MediaError for a file that is missing or no image."""
    path = Path(path)
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
            return ImageOps.exif_transpose(image).convert("RGB"), turned
    except FileNotFoundError:
        raise MediaError(f"{path.name} cannot be read (No such file or directory); check the path.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = type(error).__name__
        raise MediaError(f"{path.name} cannot be opened as an image ({reason}); copy it again or convert it.") from None


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Pixels [height, width, 3] uint8 RGB, upright. Raises MediaError for a file that is missing or no image."""
    return np.array(open_still(path)[0])
