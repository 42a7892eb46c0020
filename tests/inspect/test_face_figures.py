import numpy as np

from emolab.inspect.face_figures import SheetItem, contact_sheet
from emolab.media.faces import TEMPLATE, Face, FaceCrops

FRAME = np.full((60, 80, 3), 90, np.uint8)
CROP = np.full((112, 112, 3), 50, np.uint8)
FACE = Face((10.0, -5.0, 50.0, 40.0), 0.9, TEMPLATE / 3)


def texts(figure):
    return [t.get_text() for axis in figure.axes for t in axis.texts if t.get_text()]


def test_a_sheet_shows_frames_crops_and_what_is_wrong(tmp_path):
    some = FaceCrops([CROP, CROP], [1, 0, 2], [40.0, None, 30.0], [FACE, None, FACE])
    none = FaceCrops([], [0, 0], [None, None], [None, None])
    sheet = contact_sheet([SheetItem("a", [FRAME] * 3, some), SheetItem("b", [FRAME] * 2, none)], "drawn", "central")
    above, below = sheet.axes[:3], sheet.axes[3:6]
    assert [len(axis.images) for axis in (*above, *below)] == [1, 1, 1, 1, 0, 1]
    assert [len(axis.patches) for axis in above] == [1, 0, 1]
    assert above[0].get_ylim() == (59.5, -0.5)  # the box beyond the frame does not widen it
    assert texts(sheet) == ["no face", "2 faces, the central", "no face", "no face"]
    assert [above[0].get_title("left"), sheet.axes[6].get_title("left")] == ["a", "b"]
    sheet.savefig(tmp_path / "a.png")
    contact_sheet([]).savefig(tmp_path / "b.png")


def test_crops_of_openface_have_no_box(tmp_path):
    crops = FaceCrops([CROP], [1], [None], [None])
    sheet = contact_sheet([SheetItem("a", [FRAME], crops)])
    assert not sheet.axes[0].patches and len(sheet.axes[1].images) == 1
    sheet.savefig(tmp_path / "a.png")


def test_hostile_text_is_drawn_as_text(tmp_path):
    hostile = r"$\frac{1}{0}$ \undefined <script>" + "x" * 500 + "\nline"
    crops = FaceCrops([CROP], [2], [40.0], [FACE])
    contact_sheet([SheetItem(hostile, [FRAME], crops)], hostile, hostile).savefig(tmp_path / "a.png")
