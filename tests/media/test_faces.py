import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from emolab.demo.draw import Stage
from emolab.demo.scenario import scenario
from emolab.errors import InputError
from emolab.media import detector, faces
from emolab.media.faces import TEMPLATE, NoFaceError, align, cached_faces, detect, find_faces, native_side, need_a_face
from emolab.media.sampling import SampledFrames
from emolab.media.settings import FaceSettings

pytest.importorskip("mediapipe")
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
NOISE = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


def smaller(image, height):
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.BOX))


def on_canvas(*placed, height=400, width=800):
    canvas = np.full((height, width, 3), 127, np.uint8)
    for image, x, y in placed:
        canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas


def sampled(*images, problem=None):
    return SampledFrames(list(images), list(range(len(images))), [0.0] * len(images), problem)


def test_one_face_in_a_photograph(photograph):
    (face,) = detect(photograph, FaceSettings())
    left, right, nose, left_mouth, right_mouth = face.points
    assert face.score > 0.5 and face.points.shape == (5, 2)
    assert left[0] < nose[0] < right[0] and left_mouth[0] < right_mouth[0]
    assert max(left[1], right[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    x0, y0, x1, y1 = face.box
    assert ((face.points > (x0, y0)) & (face.points < (x1, y1))).all()


@pytest.mark.parametrize("size", [64, 112, 300, None])
def test_an_aligned_face_stands_as_the_template(photograph, size):
    (face,) = detect(photograph, FaceSettings())
    crop = align(photograph, face, size)
    side = size or round(native_side(face))
    assert crop.shape == (side, side, 3) and crop.dtype == np.uint8
    (again,) = detect(crop, FaceSettings())
    points = again.points * 112 / side
    assert abs(points[0, 1] - points[1, 1]) < 2.5  # level
    assert np.abs(points[:2] - TEMPLATE[:2]).max() < 4 and np.abs(points - TEMPLATE).max() < 7


@pytest.mark.parametrize("degrees", [-40, 25])
def test_a_tilted_head_is_turned_upright(photograph, degrees):
    turned = np.asarray(Image.fromarray(photograph).rotate(degrees, Image.Resampling.BICUBIC))
    upright, tilted = (align(image, detect(image, FaceSettings())[0], 112) for image in (photograph, turned))
    middle = (slice(20, 100), slice(20, 92))
    assert np.corrcoef(upright[middle].ravel(), tilted[middle].ravel())[0, 1] > 0.85


def test_the_transform_is_exact_and_leaves_black_outside():
    image = np.full((200, 200, 3), 200, np.uint8)
    image[:, :100, 0] = 40  # the left eye's side
    points = (TEMPLATE - 56) * 0.5 + (100, 10)  # half as large as the template, its top beyond the picture
    face = detector.Face((70, 0, 130, 40), 1.0, points)
    assert native_side(face) == pytest.approx(56)
    crop = align(image, face, 112)
    assert (crop[:35] == 0).all() and (crop[40:, :54] == (40, 200, 200)).all() and (crop[40:, 60:] == 200).all()
    assert align(image, face, None).shape == (56, 56, 3)
    tiny = detector.Face((0, 0, 5, 5), 1.0, (TEMPLATE - 56) * 0.05 + 50)
    assert align(image, tiny, None).shape == (16, 16, 3)


def test_shrinking_skips_no_pixels():
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::2] = 255  # grey from afar; skipping pixels would show black or white
    crop = align(stripes, detector.Face((0, 0, 1, 1), 1.0, TEMPLATE * 10), 112)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - 127).max() < 4


def test_the_drawn_figures_are_found():
    settings, missed, off = FaceSettings(), [], []
    for number in range(60):
        image = Stage(scenario("faces", number)).frame((number % 6 + 0.5) / 6)
        found = detect(image, settings)
        if len(found) != 1:
            missed.append((number, len(found)))
            continue
        again = detect(align(image, found[0], 224), settings)
        off += [np.abs(again[0].points[:2] / 2 - TEMPLATE[:2]).max()] if again else []
    assert len(missed) <= 3, missed
    assert len(off) > 50 and np.median(off) < 5


def test_of_two_faces_the_largest_or_the_most_central(photograph):
    large, small = smaller(photograph, 380), smaller(photograph, 200)
    image = on_canvas((large, 0, 0), (small, 330, 100))
    by_size, by_place = (detect(image, FaceSettings(choose=choose)) for choose in ("largest", "central"))
    assert len(by_size) == len(by_place) == 2
    assert by_size[0].box[2] < 330 < by_place[0].box[0]
    crops = find_faces(sampled(image), FaceSettings(choose="central"), None)
    assert crops.found == [2] and crops.native[0] == pytest.approx(native_side(by_place[0]))


def test_a_small_face_in_a_large_frame(photograph):
    image = on_canvas((smaller(photograph, 130), 1000, 250), height=720, width=1280)
    (face,) = detect(image, FaceSettings())
    assert 1000 < face.points[:, 0].min() and 250 < face.points[:, 1].min() < 380


def test_frames_without_a_face_are_left_out_and_counted(photograph):
    crops = need_a_face(find_faces(sampled(NOISE, photograph, NOISE, problem="Cut."), FaceSettings(), 112), "clip")
    assert crops.found == [0, 1, 0] and len(crops.images) == 1 and crops.problem == "Cut."
    assert [face is None for face in crops.faces] == [side is None for side in crops.native] == [True, False, True]


def test_no_face_in_any_frame_is_one_sentence():
    with pytest.raises(NoFaceError, match=r"^clip7: no face was found in any of its 2 frames; .*\.$") as caught:
        need_a_face(find_faces(sampled(NOISE, np.zeros((90, 160, 3), np.uint8)), FaceSettings(), 112), "clip7")
    assert caught.value.frames == 2
    assert pickle.loads(pickle.dumps(caught.value)).frames == 2  # comes back from a worker process


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (500, 2, 3), (16, 16, 3)])
def test_odd_pictures_have_no_face(shape):
    assert detect(np.zeros(shape, np.uint8), FaceSettings()) == []


def test_threads_share_the_finder(photograph):
    pictures = [smaller(photograph, height) for height in (150, 220, 300, 400)] * 4
    alone = [detect(picture, FaceSettings())[0].points for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: detect(picture, FaceSettings())[0].points, pictures))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_cache_saves_finding_and_heals_itself(photograph, tmp_path):
    frames = sampled(NOISE, smaller(photograph, 200), problem="Cut.")
    asked = []

    def again(size=112, choose="largest"):
        return cached_faces(lambda: asked.append(size) or frames, FaceSettings(choose=choose), size, tmp_path, "key")

    def same(one, other):
        assert (one.found, one.native, one.problem) == (other.found, other.native, other.problem)
        assert len(one.images) == len(other.images) == 1 and np.array_equal(one.images[0], other.images[0])
        assert one.faces[0] is other.faces[0] is None and one.faces[1].box == other.faces[1].box
        assert np.array_equal(one.faces[1].points, other.faces[1].points)

    fresh = find_faces(frames, FaceSettings(), 112)
    same(again(), fresh)
    same(again(), fresh)
    assert len(asked) == 1
    (entry,) = tmp_path.iterdir()
    good = entry.read_bytes()
    object_array = tmp_path / "objects.npz"
    np.savez(object_array, found=np.array([{}], object), faces=np.zeros((1, 15)))
    for bad in (b"", good[: len(good) // 2], good[:300] + bytes(40) + good[340:], object_array.read_bytes()):
        entry.write_bytes(bad)
        same(again(), fresh)
        assert entry.read_bytes() == good
    assert len(asked) == 5
    again(size=None), again(choose="central")
    assert len(asked) == 7
    assert find_faces(sampled(NOISE), FaceSettings(), 112).found == [0]
    for _ in range(2):  # nothing found is kept, too
        assert cached_faces(lambda: asked.append(0) or sampled(NOISE), FaceSettings(), 112, tmp_path, "b").found == [0]
    assert len(asked) == 8


def test_an_entry_whose_parts_do_not_fit_is_made_anew(photograph, tmp_path):
    frames = sampled(smaller(photograph, 200))
    cached_faces(lambda: frames, FaceSettings(), 112, tmp_path, "key")
    (entry,) = tmp_path.iterdir()
    with np.load(entry) as stored:
        parts = dict(stored)
    np.savez(tmp_path / "other.npz", **(parts | {"faces": np.zeros((0, 15))}))
    os.replace(tmp_path / "other.npz", entry)
    assert cached_faces(lambda: frames, FaceSettings(), 112, tmp_path, "key").found == [1]


def test_the_finder_is_quiet_and_loaded_late():
    code = (
        "import sys, numpy as np\n"
        "from emolab.media import faces, views\n"
        "assert not {'mediapipe', 'cv2', 'torch', 'matplotlib'} & set(sys.modules), 'loaded early'\n"
        "from PIL import Image\n"
        "from emolab.media.settings import FaceSettings\n"
        f"image = np.asarray(Image.open({str(PHOTOGRAPH)!r}).convert('RGB'))\n"
        "assert len(faces.detect(image, FaceSettings())) == 1\n"
        "print('still here', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr, done.stdout) == (0, "still here\n", "")


def test_without_mediapipe_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    with pytest.raises(InputError, match="needs mediapipe .*pip install --no-deps mediapipe"):
        detect(NOISE, FaceSettings(confidence=0.123))  # a confidence for which no finder was made yet


@pytest.mark.parametrize(
    "wrong",
    [{"source": "dlib"}, {"choose": "best"}, {"source": "openface"}, {"size": 4}, {"size": 10**6}, {"confidence": 1}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=rf"^faces\.{list(wrong)[0]} is .*\.$"):
        FaceSettings(**wrong)


def test_the_version_is_part_of_the_key(photograph, tmp_path, monkeypatch):
    asked = []
    for version in (1, 1, 2):
        monkeypatch.setattr(faces, "_CACHE_VERSION", version)
        cached_faces(lambda: asked.append(1) or sampled(NOISE), FaceSettings(), 112, tmp_path, "key")
    assert len(asked) == 2
