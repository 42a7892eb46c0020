import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.errors import InputError
from emolab.media import faces as faces_module
from emolab.media.errors import MediaError
from emolab.media.faces import NoFaceError
from emolab.media.sampling import six_frames
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.views import VIEWS, ClipView, clip_faces, clip_view, face_counts
from emolab.media.write import write_video

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
FRAMES, FACES = FrameSettings(), FaceSettings()
NOISE = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)


def view(clip, name, faces=FACES, **more):
    return clip_view(clip, name, FRAMES, faces, **more)


@pytest.fixture(scope="module")
def clip(small_corpus):
    return next(clip for clip in read_rows(small_corpus) if clip.video)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A photographed face in 320 x 240 for the first third of the clip, noise after that."""
    path = tmp_path_factory.mktemp("wide") / "wide.mp4"
    face = np.full((240, 320, 3), 90, np.uint8)
    face[:, 40:245] = np.asarray(Image.open(PHOTOGRAPH).convert("RGB").resize((205, 240)))
    write_video(path, [face] * 20 + [NOISE] * 40, 10)
    return Clip("wide", video=str(path))


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    write_video(path, [NOISE] * 12, 10)
    return Clip("noise", video=str(path))


def test_frame_is_the_six_frames_as_decoded(clip):
    seen, drawn = view(clip, "frame", seed=3), six_frames(clip.video, clip_id=clip.clip_id, seed=3)
    assert len(seen.images) == 6 and (seen.faces, seen.native, seen.problem) == (None, None, None)
    assert all(np.array_equal(a, b) for a, b in zip(seen.images, drawn.images, strict=True))


def test_the_uniform_draw_is_passed_on(clip, tmp_path):
    uniform = FrameSettings(parts=4, draw="uniform")
    drawn = six_frames(clip.video, clip_id=clip.clip_id, parts=4, draw="uniform")
    assert drawn.positions[0] == 0
    for frames in (uniform, replace(uniform, cache=True)):
        seen = clip_view(clip, "frame", frames, FACES, cache_dir=tmp_path)
        assert all(np.array_equal(a, b) for a, b in zip(seen.images, drawn.images, strict=True))
    pytest.importorskip("mediapipe")
    at_starts = clip_faces(clip, uniform, FACES, seed=1, cache_dir=tmp_path)
    assert clip_faces(clip, uniform, FACES, cache_dir=tmp_path).native == at_starts.native
    assert clip_faces(clip, replace(uniform, draw="random"), FACES, cache_dir=tmp_path).native != at_starts.native


def test_the_view_frame_never_loads_the_finder(clip):
    code = (
        "import sys\n"
        "from emolab.corpora.clip import Clip\n"
        "from emolab.media.settings import FaceSettings, FrameSettings\n"
        "from emolab.media.views import clip_view\n"
        f"clip_view(Clip('a', video={clip.video!r}), 'frame', FrameSettings(), FaceSettings())\n"
        "assert not {'mediapipe', 'cv2', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_views_of_a_drawn_clip(clip):
    pytest.importorskip("mediapipe")
    seen = {name: view(clip, name) for name in VIEWS}
    face, frame = seen["face"], seen["frame"]
    assert face.faces == [1] * 6 and [image.shape for image in face.images] == [(112, 112, 3)] * 6
    both = seen["face_frame"].images
    assert len(both) == 12
    assert all(np.array_equal(a, b) for a, b in zip(both, face.images + frame.images, strict=True))
    assert [image.shape for image in seen["face_large"].images] == [(224, 224, 3)] * 6
    for image, side in zip(seen["frame_small"].images, face.native, strict=True):
        assert image.shape[0] == image.shape[1] == round(side)
    again = view(clip, "face_large")
    assert all(np.array_equal(a, b) for a, b in zip(again.images, seen["face_large"].images, strict=True))


def test_large_and_small_carry_the_same_detail(clip):
    """A face's crop enlarged holds what the frame holds there: shrunk back it is the crop at its own resolution."""
    pytest.importorskip("mediapipe")
    large, crops = view(clip, "face_large").images[0], clip_faces(clip, FRAMES, FACES, size=None)
    side = crops.images[0].shape[0]
    assert side == round(crops.native[0])
    back = np.asarray(Image.fromarray(large).resize((side, side), Image.Resampling.BOX)).astype(int)
    assert np.abs(back - crops.images[0]).mean() < 6


def test_frames_without_a_face_are_left_out_of_crops_but_not_of_frames(wide):
    pytest.importorskip("mediapipe")
    face = view(wide, "face")
    assert face.faces == [1, 1, 0, 0, 0, 0] and len(face.images) == 2
    assert len(view(wide, "face_frame").images) == 8
    assert [image.shape for image in view(wide, "face_large").images] == [(240, 240, 3)] * 2
    small = view(wide, "frame_small").images
    assert len(small) == 6
    for image, side in zip(small, [*face.native[:2], *[np.mean(face.native[:2])] * 4], strict=True):
        assert image.shape[0] * image.shape[1] == pytest.approx(side**2, rel=0.02)
        assert image.shape[1] / image.shape[0] == pytest.approx(4 / 3, rel=0.02)


def test_a_clip_without_faces(noise):
    pytest.importorskip("mediapipe")
    assert len(view(noise, "frame").images) == 6
    for name in VIEWS[1:]:
        with pytest.raises(NoFaceError, match="noise: no face was found in any of its 6 frames"):
            view(noise, name)
    assert clip_faces(noise, FRAMES, FACES).found == [0] * 6


def test_crops_are_kept_by_content_draw_and_settings(wide, tmp_path, monkeypatch):
    pytest.importorskip("mediapipe")
    fresh = view(wide, "face", cache_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(faces_module, "detect", lambda *_: pytest.fail("looked again"))
        kept = view(wide, "face", cache_dir=tmp_path)
        view(wide, "face_frame", cache_dir=tmp_path), view(wide, "frame_small", cache_dir=tmp_path)
    assert (kept.faces, kept.native) == (fresh.faces, fresh.native)
    assert all(np.array_equal(a, b) for a, b in zip(kept.images, fresh.images, strict=True))
    count = len(list(tmp_path.iterdir()))
    for more in ({"seed": 1}, {"faces": FaceSettings(size=64)}, {"faces": FaceSettings(choose="central")}):
        view(wide, "face", cache_dir=tmp_path, **more)
        assert len(list(tmp_path.iterdir())) == (count := count + 1)
    view(wide, "face", FaceSettings(cache=False), cache_dir=tmp_path, seed=9)
    assert len(list(tmp_path.iterdir())) == count


@pytest.mark.parametrize("cached", [False, True])
def test_what_cannot_be_seen_is_one_sentence(tmp_path, cached):
    cache_dir = tmp_path / "cache" if cached else None
    with pytest.raises(MediaError, match="^a: has no video"):
        view(Clip("a"), "face", cache_dir=cache_dir)
    with pytest.raises(MediaError, match="^none.mp4 cannot be read"):
        view(Clip("a", video=str(tmp_path / "none.mp4")), "face", cache_dir=cache_dir)
    with pytest.raises(InputError, match="^view is 'faces'; one of frame, face"):
        view(Clip("a"), "faces")


def test_openface_crops_at_the_drawn_frames(wide, tmp_path):
    array = np.zeros((60, 112, 112, 3), np.uint8)
    array[...] = np.arange(10, 70)[:, None, None, None]
    array[40:] = 0  # no face
    np.save(tmp_path / "wide.npy", array)
    settings = FaceSettings(source="openface", openface=str(tmp_path))
    drawn = six_frames(wide.video, clip_id="wide").positions
    face = view(wide, "face", settings)
    assert face.faces == [int(position < 40) for position in drawn] and face.native == [None] * 6
    assert [int(image[0, 0, 0]) - 10 for image in face.images] == [p for p in drawn if p < 40]
    assert view(wide, "face", FaceSettings(source="openface", openface=str(tmp_path), size=64)).images[0].shape[0] == 64
    assert view(wide, "face_large", settings).images[0].shape == (240, 240, 3)
    for image in view(wide, "frame_small", settings).images:
        assert image.shape[0] * image.shape[1] == pytest.approx(112**2, rel=0.02)
    np.save(tmp_path / "wide.npy", array[40:])
    with pytest.raises(NoFaceError):
        view(wide, "face", settings)


def test_face_counts():
    seen = [ClipView([], [1, 2, 0], [90.0, 50.0, None]), NoFaceError("a", 6), ClipView([], [3], [70.0]), ClipView([])]
    seen.append(MediaError("b: cannot be read."))
    assert face_counts(seen) == {
        "clips": 4,
        "clips_without_face": 1,
        "frames": 10,
        "frames_without_face": 7,
        "frames_with_several": 2,
        "native_side": 70.0,
        "clips_without_picture": 1,
    }
    assert face_counts([])["native_side"] is None
