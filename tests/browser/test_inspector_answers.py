"""Beside the clip in the inspector: what models said, labels of one's own, a video of one's own, hostile text."""

import runpy
from pathlib import Path

PANES = runpy.run_path(str(Path(__file__).with_name("panes.py")))
clips, folder, view = (PANES[name] for name in ("clips", "folder", "view"))  # fixtures
shown, open_clip, text_of, status, playable, rows_of, HOSTILE, LABEL, FOLDS = (
    PANES[name]
    for name in ("shown", "open_clip", "text_of", "status", "playable", "rows_of", "HOSTILE", "LABEL", "FOLDS")
)


# --- the models


def test_chips_filter_by_label_sign_and_family(view):
    page = view()
    matched = page.locator(".ei-model .ei-matched").first
    assert matched.text_content() == "✓joyful" and "family:" in matched.get_attribute("title")
    count = page.locator(".ei-count").first
    matched.click()
    assert "1 of 9" in count.text_content()
    page.focus(".emolab-inspector")
    page.keyboard.press("c")
    assert "9 of 9" in count.text_content()
    page.locator(".ei-model .ei-missed:has-text('loving')").first.focus()
    page.keyboard.press("Shift+Enter")
    pill = page.locator(".ei-pill").first
    assert "1 of 9" in count.text_content() and "family" in (pill.get_attribute("title") or pill.text_content())
    page.focus(".emolab-inspector")
    page.keyboard.press("c")
    page.locator(".ei-truth .ei-said:has-text('happy')").click()
    assert "1 of 9" in count.text_content()


def test_models_say_what_they_said_and_what_went_wrong(view):
    page = view()
    models = page.locator(".ei-model")
    assert models.nth(0).locator(".ei-scores").text_content() == "F 50accuracy 50 · recall 50"
    assert models.nth(1).locator(".ei-chips").text_content() == "−happy−lovingsaid nothing"
    assert models.nth(2).locator(".ei-chips").text_content() == "not asked"
    fold = models.nth(0).locator("details:has(summary:text-is('Raw answer'))")
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.locator("pre").text_content() == "[drawn]"
    open_clip(page, 1, "mute")
    text_of(page, ".ei-model:nth-child(2) .ei-problem", "cannot be read <script>")
    assert fold.get_attribute("open") is not None and fold.locator("pre").text_content() == "[mute]"
    open_clip(page, 5, "damaged")
    assert page.locator(".ei-model").nth(0).locator(".ei-chip.ei-said").count() == 2
    assert "no true labels" in page.locator(".ei-truth").text_content()


# --- annotation


def test_toggles_reach_the_file_in_order(view, folder):
    page = view()
    chips = page.locator(".ei-toggle")
    pressed = "each => [...document.querySelectorAll('.ei-toggle[aria-pressed=true] bdi')].map((e) => e.textContent)"
    assert chips.all_text_contents() == ["1happy", "2loving", "3joyful", "4angry"]
    assert page.evaluate(pressed) == ["happy", "loving"]
    page.evaluate("window.delay = 60")
    for key in "1324413":
        page.keyboard.press(key)
    text_of(page, ".ei-saved", "saving")
    page.wait_for_function("document.querySelector('.ei-saved').textContent === 'saved'")
    rows = rows_of(folder)
    assert [row["labels"] for row in rows] == [
        ["loving"],
        ["loving", "joyful"],
        ["joyful"],
        ["joyful", "angry"],
        ["joyful"],
        ["joyful", "happy"],
        ["happy"],
    ]
    assert {row["author"] for row in rows} == {"me"} and {row["clip_id"] for row in rows} == {"drawn"}
    assert page.evaluate(pressed) == ["happy"]
    assert page.locator(".ei-diff .ei-chip").all_text_contents() == ["✓happy", "−loving"]
    assert page.locator(".ei-history p").count() == 7


def test_a_change_that_is_lost_on_the_way_is_said_and_holds_up_no_other(view, folder):
    page = view()
    page.evaluate(
        """() => {
          const real = window.toKernel;
          let lost = 1;
          window.toKernel = (text, buffers) => {
            if (lost && JSON.parse(text).kind === "annotate") lost -= 1;
            else real(text, buffers);
          };
        }"""
    )
    page.keyboard.press("3")
    page.keyboard.press("4")  # waits its turn
    page.keyboard.press("j")  # what the kernel answers to later questions proves the loss
    status(page, "drawn saved")
    (row,) = rows_of(folder)
    assert row["labels"] == ["happy", "loving", "angry"]  # the fourth key; the third was lost, which was said


def test_a_long_text_scrolls_by_key_and_the_clip_stays(view):
    page = view()
    page.click("summary:text-is('Raw answer') >> nth=0")
    text = page.locator(".ei-fold[open] .ei-fold-body").first
    text.evaluate("(element) => { element.style.cssText = 'max-height: 12px; overflow: auto; line-height: 40px'; }")
    text.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("[...document.querySelectorAll('.ei-fold-body')].some((each) => each.scrollTop > 0)")
    assert page.locator(".ei-clip-name").text_content() == "drawn"
    page.keyboard.press("j")  # not a key of scrolling
    shown(page, "mute")


def test_a_label_a_note_undo_and_back(view, folder):
    page = view()
    page.fill("input[aria-label='Another label']", " Proud ")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ei-toggle[aria-pressed=true]:has-text('proud')")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("jk1 she smiles")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    text_of(page, ".ei-history", "note “jk1 she smiles”")
    assert rows_of(folder)[-1]["note"] == "jk1 she smiles" and len(rows_of(folder)) == 2
    page.click("button:has-text('Back to the corpus labels')")
    page.wait_for_function("document.querySelectorAll('.ei-history p').length === 3")
    assert rows_of(folder)[-1]["labels"] is None and rows_of(folder)[-1]["note"] == "jk1 she smiles"
    page.focus(".emolab-inspector")
    page.keyboard.press("u")
    status(page, "undone")
    assert rows_of(folder)[-1]["labels"] == ["happy", "loving", "proud"]
    page.keyboard.press("u")
    page.wait_for_function("document.querySelector('.ei-note').value === ''")
    open_clip(page, 1, "mute")
    page.keyboard.press("u")
    page.wait_for_function("document.querySelector('.ei-clip-name').textContent === 'drawn'")
    text_of(page, ".ei-history", "undone: back to the corpus labels − proud")
    page.keyboard.press("u")
    status(page, "no change of yours")


def test_a_note_stays_with_its_clip_and_the_author_is_remembered(view, folder):
    page = view()
    page.fill(".ei-author input", HOSTILE.replace("\n", " ")[:60])
    page.fill(".ei-note", "of the first")
    page.locator(".ei-item").nth(1).click()
    page.wait_for_function("document.querySelector('.ei-note').value === ''")
    page.wait_for_function("document.querySelectorAll('.ei-flag').length > 0")
    (row,) = rows_of(folder)
    assert (row["clip_id"], row["note"], row["labels"]) == ("drawn", "of the first", None)
    assert row["author"] == HOSTILE.replace("\n", " ")[:60]
    assert page.evaluate("Object.values(localStorage)") == [row["author"]]


def test_export_and_annotations_as_the_truth(view, folder):
    page = view()
    page.click("summary:has-text('Export, compare')")
    page.click("button:text-is('CSV')")
    status(page, "no clip is annotated")
    page.focus(".emolab-inspector")
    page.keyboard.press("3")
    text_of(page, ".ei-saved", "saved")
    for name, file in (("JSONL", "annotations_standing.jsonl"), ("CSV", "annotations.csv")):
        with page.expect_download() as download:
            page.click(f"button:text-is('{name}')")
        assert download.value.suggested_filename == file
        assert Path(download.value.path()).read_bytes() == (folder / file).read_bytes()
    text_of(page, ".ei-path", str(folder / "annotations.csv"))
    page.select_option("[aria-label='Compare models with']", "annotations")
    text_of(page, ".ei-truth h4", "the annotation")
    page.wait_for_selector(".ei-truth .ei-said:has-text('joyful')")
    assert page.locator("video").get_attribute("src")  # the open clip stays as it is


# --- a clip of one's own, and what is hostile


def test_a_video_of_ones_own_is_predicted_and_opened(view, clips, folder):
    page = view()
    page.click("summary:has-text('Try a video of your own')")
    page.click("button:text-is('Run')")
    text_of(page, ".ei-live-text", "Choose a video")
    page.set_input_files("input[type=file]", clips[0].video)
    page.fill(".ei-live textarea", "How nice!")
    page.click("button:text-is('Run')")
    shown(page, Path(clips[0].video).stem)
    status(page, "was predicted")
    playable(page)
    assert [each.read_bytes() for each in (folder / "received").iterdir()] == [Path(clips[0].video).read_bytes()]
    assert page.locator(".ei-model").last.locator(".ei-chip").all_text_contents() == ["·happy"]
    page.get_by_label("or a path that the kernel can read").fill("/nowhere/at all.mp4")
    page.click("button:text-is('Run')")
    text_of(page, ".ei-live-text", "no such file")


def test_untrusted_text_stays_text(view, clips):
    page = view()
    open_clip(page, 8, LABEL)
    playable(page)
    page.wait_for_selector(".ei-frame .ei-face img")
    for summary in page.locator("summary:visible").all():
        summary.click()
    page.locator(".ei-toggle").first.click()
    text_of(page, ".ei-saved", "saved")
    third = page.locator(".ei-model").nth(2)
    assert third.locator("h4").text_content() == HOSTILE
    for title in FOLDS.values():
        assert "<script>" in third.locator(f"details:has(summary:text-is('{title}')) .ei-fold-body").text_content()
    assert third.locator(".ei-bar bdi").first.text_content() == HOSTILE
    page.fill(".ei-live textarea", "refuse")
    page.get_by_label("or a path that the kernel can read").fill(clips[0].video)
    page.click("button:text-is('Run')")
    status(page, "refuses.")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hurt") is None
    assert page.locator(".emolab-inspector script, .emolab-inspector img:not([src^=blob])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400


def test_a_view_that_is_closed_lets_go(view):
    page = view()
    playable(page)
    page.keyboard.press("j")
    page.evaluate("window.end()")
    asked = page.evaluate("window.sent.length")
    page.wait_for_timeout(400)
    assert page.evaluate("window.listeners.size") == 0 and page.evaluate("window.sent.length") == asked
    assert page.evaluate("document.querySelector('video').getAttribute('src')") is None
