"""The clip in the inspector: video and sound, frames and faces, what cannot be played."""

import json
import runpy
from pathlib import Path

import pytest

PANES = runpy.run_path(str(Path(__file__).with_name("panes.py")))
clips, folder, view = (PANES[name] for name in ("clips", "folder", "view"))  # fixtures
shown, open_clip, text_of, status, playable, of_kind, now = (
    PANES[name] for name in ("shown", "open_clip", "text_of", "status", "playable", "of_kind", "now")
)


def test_the_video_plays_with_its_sound(view):
    page = view()
    playable(page)
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('video').currentTime > 0.3")
    heard = "(({ muted, volume, webkitAudioDecodedByteCount }) => [muted, volume, webkitAudioDecodedByteCount > 0])"
    assert page.evaluate(f"{heard}(document.querySelector('video'))") == [False, 1, True]
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').paused")
    before = now(page)
    page.keyboard.press("ArrowLeft")
    assert now(page) == pytest.approx(before - 1 / 12.5, abs=0.005)
    page.keyboard.press("ArrowRight")
    assert now(page) == pytest.approx(before, abs=0.005)


def test_the_strip_shows_the_frames_of_a_look_with_their_faces_and_seeks(view):
    page = view()
    playable(page)
    page.wait_for_selector(".ei-frame .ei-face img")
    frames = page.locator(".ei-frame")
    assert frames.count() == 3
    times = [float(text.removesuffix(" s")) for text in page.locator(".ei-frame-time").all_text_contents()]
    frames.nth(2).click()
    assert now(page) == pytest.approx(times[2], abs=0.01)
    page.wait_for_selector(".ei-frame.ei-now:nth-child(3)[aria-pressed=true]")
    frames.nth(1).focus()
    page.keyboard.press("Enter")
    assert now(page) == pytest.approx(times[1], abs=0.01)
    page.wait_for_selector(".ei-frame.ei-now:nth-child(2)")
    page.evaluate("document.querySelector('video').currentTime = 0")
    page.wait_for_selector(".ei-frame.ei-now:nth-child(1)")
    page.select_option(".ei-strip select", "1")
    page.wait_for_function("document.querySelectorAll('.ei-frame').length === 5")
    open_clip(page, 1, "mute")
    page.wait_for_function("document.querySelectorAll('.ei-face').length === 5")
    text_of(page, ".ei-face", "no face")


@pytest.mark.parametrize(
    ("position", "clip_id", "sentence"),
    [
        (1, "mute", "This clip has no sound."),
        (2, "missing", "nowhere.mp4"),
        (3, "published", "no video"),
        (4, "still", "still image"),
        (5, "damaged", "damaged.mp4"),
    ],
)
def test_what_cannot_be_played_is_said_and_the_rest_goes_on(view, position, clip_id, sentence):
    page = view()
    open_clip(page, position, clip_id)
    text_of(page, ".ei-player-note", sentence)
    assert page.locator(".ei-player-note button").is_visible() is False
    assert page.locator("video").is_visible() == (clip_id == "mute")
    if clip_id == "still":
        page.wait_for_selector(".ei-frame img")
        page.focus(".emolab-inspector")
        page.keyboard.press(" ")
        status(page, "still image")
    page.keyboard.press("1")
    text_of(page, ".ei-saved", "saved")


def test_sound_alone_is_played_too(view):
    page = view()
    open_clip(page, 7, "heard")
    text_of(page, ".ei-player-note", "This clip has sound but no picture.")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('video').currentTime > 0.2")
    assert page.locator(".ei-strip").is_visible() is False


def test_keys_go_on_when_what_had_the_focus_goes_away(view):
    page = view()
    page.wait_for_selector(".ei-frame img")
    page.locator(".ei-frame").nth(1).click()
    page.keyboard.press("j")
    shown(page, "mute")
    page.locator(".ei-model .ei-chip").first.focus()
    open_clip(page, 6, "old")
    page.focus("button:has-text('Convert for this browser')")
    page.keyboard.press("Enter")
    playable(page)
    page.keyboard.press("k")
    shown(page, "damaged")


def test_a_codec_that_no_browser_plays_is_converted(view):
    page = view()
    open_clip(page, 6, "old")
    text_of(page, ".ei-player-note", "mpeg4")
    assert not of_kind(page, "bytes")[1:]
    page.click("button:has-text('Convert for this browser')")
    playable(page)
    assert page.evaluate("document.querySelector('video').videoWidth") == 96
    text_of(page, ".ei-player-facts", "a converted copy plays")


def test_a_large_file_does_not_travel(view):
    page = view(limit=1000)
    page.wait_for_selector("button:has-text('Make a small copy to play')")
    assert of_kind(page, "bytes") == []
    page.click("button:has-text('Make a small copy to play')")
    text_of(page, ".ei-player-note", "already the converted copy")


def test_a_file_below_jupyters_folder_comes_from_its_server(view, clips, tmp_path, monkeypatch):
    """The server's part is played here: one that gives the right size, and one that gives another file."""
    (tmp_path / "jpserver-4242.json").write_text(json.dumps({"root_dir": str(Path(clips[0].video).parent)}))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", "4242")
    video, wrong = Path(clips[0].video).read_bytes(), []

    def serve(route):
        start = int(route.request.headers["range"].removeprefix("bytes=").split("-")[0])
        headers = {"Content-Range": f"bytes {start}-{len(video) - 1}/{len(video) + len(wrong)}"}
        route.fulfill(status=206, body=video[start:], headers=headers | {"Content-Type": "video/mp4"})

    page = view()
    page.route("http://lab.test/user/me/files/**", serve)
    page.evaluate(
        """() => {
          const config = document.createElement("script");
          config.type = "application/json";
          config.id = "jupyter-config-data";
          config.textContent = JSON.stringify({ baseUrl: "/user/me/" });
          document.body.append(config);
        }"""
    )
    open_clip(page, 1, "mute")
    asked = len(of_kind(page, "bytes"))
    open_clip(page, 0, "drawn")
    playable(page)
    served = f"http://lab.test/user/me/files/{Path(clips[0].video).name}"
    assert page.evaluate("document.querySelector('video').src") == served
    assert len(of_kind(page, "bytes")) == asked
    wrong.append("another length")
    open_clip(page, 1, "mute")
    open_clip(page, 0, "drawn")
    playable(page)
    assert page.evaluate("document.querySelector('video').src").startswith("blob:")


def test_clips_that_are_passed_by_are_not_asked_for(view):
    page = view()
    playable(page)
    page.wait_for_selector(".ei-frame .ei-face img")
    page.evaluate("window.sent.length = 0")
    for _ in range(6):
        page.keyboard.press("j")
    shown(page, "old")
    page.wait_for_selector(".ei-frame img")
    for kind in ("clip", "media", "frames"):
        assert [message["position"] for message in of_kind(page, kind)] == [6]


def test_late_answers_for_another_clip_are_ignored(view):
    page = view()
    playable(page)
    page.evaluate("window.delay = 150")
    page.keyboard.press("j")
    page.wait_for_function("window.sent.some(({ kind, position }) => kind === 'frames' && position === 1)")
    for key in ("End", "k", "k"):
        page.keyboard.press(key)
    shown(page, "old")
    page.wait_for_selector(".ei-frame img")
    page.wait_for_timeout(600)
    text_of(page, ".ei-player-facts", "old.avi")
    assert page.locator(".ei-frame").count() == 3 and page.locator("video").is_visible() is False
