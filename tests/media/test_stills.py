"""Still images: upright, in colour, or one sentence."""

import numpy as np
import pytest
from PIL import Image

from emolab.media.errors import MediaError
from emolab.media.stills import open_still, read_image


def test_pictures_are_read_upright_and_in_colour(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, 0] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "turned.png").shape == (6, 4, 3) and open_still(tmp_path / "turned.png")[1]
    assert read_image(tmp_path / "grey.png").shape == (4, 6, 3) and not open_still(tmp_path / "grey.png")[1]
    with pytest.raises(MediaError, match=r"^none\.png cannot be read"):
        read_image(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(MediaError, match=r"^text\.png cannot be opened as an image"):
        read_image(tmp_path / "text.png")
