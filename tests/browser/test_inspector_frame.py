"""The inspector's list, filters and keys in a browser, answered by the real Python side; and the page without one."""

import base64
import json

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.inspect.annotation_file import AnnotationFile
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector import Inspector
from emolab.inspect.inspector_page import write_page
from emolab.inspect.media import Look, Media
from emolab.inspect.sources import script, style
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

HOST = """async (source) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  window.listeners = new Set();
  window.sent = [];
  window.outer = 0;
  window.dead = false;
  document.addEventListener("keydown", () => window.outer++);
  const model = {
    on: (_, listener) => window.listeners.add(listener),
    off: (_, listener) => window.listeners.delete(listener),
    send: async (message, _, buffers = []) => {
      window.sent.push({ ...message, shown: message.kind === "state" ? [...new Uint32Array(buffers[0])] : null });
      if (window.dead) return;
      for (const [answer, parts] of await window.kernel(JSON.stringify(message))) {
        for (const listener of window.listeners) listener(answer, parts.map(bytes));
      }
    },
  };
  window.end = module.default.render({ model, el: document.body });
}"""
HOSTILE = "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"
WORDS = ["happy", "sad", "angry", "calm", "afraid"]
N = 60


def make_inspection(video=None):
    """Clip n has the n-th word; `right` says it, `wrong` the next one but answers even clips only, HOSTILE itself."""
    clips = [
        Clip(f"clip_{n:02}", labels=(WORDS[n % 5],), split="test" if n < 20 else "train", transcript=f"spoken {n}.")
        for n in range(N - 1)
    ]
    odd = {"speaker": HOSTILE, "description": HOSTILE, "corpus": HOSTILE, "split": HOSTILE, "video": video}
    clips.append(Clip(HOSTILE, labels=(HOSTILE, "happy"), transcript=HOSTILE, **odd))
    right = {clip.clip_id: {"labels": list(clip.labels)} for clip in clips}
    wrong = {f"clip_{n:02}": {"labels": [WORDS[(n + 1) % 5]]} for n in range(0, N - 1, 2)}
    own = {HOSTILE: {"labels": [HOSTILE, HOSTILE + "2"], "text": HOSTILE, "votes": {HOSTILE: [HOSTILE]}}}
    own["clip_01"] = {"labels": None, "error": HOSTILE}
    return Inspection(clips, {"right": right, "wrong": wrong, HOSTILE: own}, f"drawn {HOSTILE}")


@pytest.fixture
def page(browser, tmp_path):
    """A page with the view alone; what it sends is answered by the widget itself."""
    widget = Inspector(make_inspection(), Media([], None), AnnotationFile(tmp_path / "annotations.jsonl"), author="me")

    def kernel(text):
        answers = []
        widget.handle(json.loads(text), [], lambda message, buffers: answers.append((dict(message), buffers)))
        return [(message, [base64.b64encode(part).decode() for part in parts]) for message, parts in answers]

    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.clock.install()
    page.expose_function("kernel", kernel)
    page.add_style_tag(content=style())
    page.evaluate(HOST, script())
    page.wait_for_selector(".ei-item")
    yield page
    page.close()
    assert errors == []


def count(page, text):
    page.wait_for_function("(text) => document.querySelector('.ei-count').textContent.startsWith(text)", arg=text)


def opened(page):
    return page.locator(".ei-item[aria-selected=true] .ei-id").text_content()


def quick(page, sign):
    return page.locator(".ei-quick button", has_text=sign)


def test_the_list_holds_only_what_is_in_sight(page):
    count(page, "60 of 60 clips")
    items = page.locator(".ei-item")
    assert items.count() < 20 and opened(page) == "clip_00"
    assert items.first.get_attribute("aria-setsize") == "60" and items.first.get_attribute("aria-posinset") == "1"
    assert items.first.locator(".ei-tally").all_text_contents() == ["✓1", "−1+1", "–"]
    page.focus(".ei-list")
    page.keyboard.press("End")
    page.wait_for_function(
        "(id) => document.querySelector('.ei-item[aria-selected=true] .ei-id').textContent === id", arg=HOSTILE
    )
    assert page.locator(".ei-item").count() < 20
    active = page.get_attribute(".ei-list", "aria-activedescendant")
    assert page.locator(f"#{active} .ei-id").text_content() == HOSTILE


def test_filters_narrow_each_other_and_clear_frees_all(page):
    page.wait_for_function("document.querySelector('.ei-quick').textContent.includes('60')")
    assert quick(page, "✓").text_content() == "✓60" and quick(page, "+").text_content() == "+31"
    quick(page, "+").click()
    count(page, "31 of 60 clips")
    page.click(".ei-panel summary")
    page.click(".ei-panel button:has-text('test')")
    count(page, "10 of 60 clips")
    page.wait_for_selector(".ei-panel button:has-text('train20')")  # counted under all filters but its own
    assert page.locator(".ei-pill").all_text_contents() == ["split: test ✕"]
    page.select_option("[aria-label='Signs and scores of']", label="right · Avg 100.0")
    count(page, "0 of 60 clips")  # this one says nothing wrong
    assert page.locator(".ei-empty").text_content().startswith("No clip passes all filters.")
    page.click(".ei-empty button")
    count(page, "60 of 60 clips")
    assert page.evaluate("document.activeElement.className") == "emolab-inspector"  # keys go on working
    page.keyboard.press("j")
    assert opened(page) == "clip_01"


def test_search_reads_ids_transcripts_and_labels(page):
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    for words, found in (("CLIP_07", 1), ("spoken 12", 1), ("afraid", 17), ("onerror", 1), ("nowhere", 0)):
        page.keyboard.press("Control+a")
        page.keyboard.type(words)
        count(page, f"{found} of 60 clips")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    count(page, "60 of 60 clips")
    assert page.input_value(".ei-search") == ""


def test_a_label_and_a_cell_of_the_confusion_filter(page):
    page.locator(".ei-right .ei-chip.ei-spurious").first.click()
    count(page, "6 of 60 clips")
    assert page.locator(".ei-pill").text_content() == "+ sad · wrong ✕"
    page.click(".ei-pill")
    count(page, "60 of 60 clips")
    page.click("button:has-text('Confusion')")
    page.select_option("[aria-label='Confusion of model']", label="wrong")
    cell = page.locator("[aria-label='joy missed, sadness spurious: 6 clips']")
    cell.focus()
    page.keyboard.press("Enter")
    count(page, "6 of 60 clips")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("Escape")
    assert not page.is_visible(".ei-sheet") and page.locator(".ei-pill").text_content() == "− joy, + sadness · wrong ✕"


def test_families_and_sectors_count_where_they_are_asked(page):
    page.click(".ei-panel summary")
    page.select_option("[aria-label='Labels where']", label="spurious")
    page.wait_for_selector(".ei-wordlist button:has-text('fear6')")
    page.click(".ei-wordlist [aria-label=Sector] button:has-text('fear')")
    count(page, "6 of 60 clips")
    page.select_option("[aria-label='Labels where']", label="in the truth")
    page.wait_for_selector(".ei-wordlist button:has-text('calm6')")


def test_orders(page):
    order = page.locator("[aria-label=Order]")
    order.select_option(label="Worst first")
    first = page.locator(".ei-item .ei-f")
    assert first.first.text_content() == "F 50"
    order.select_option(label="Best first")
    assert first.first.text_content() == "F 100" and opened(page) == "clip_01"
    order.select_option(label="Most disagreement")
    assert page.locator(".ei-item .ei-id").first.text_content() == "clip_00"


def test_keys_move_mark_and_stay_within(page):
    page.focus(".emolab-inspector")
    for key in ("j", "ArrowDown", "k"):
        page.keyboard.press(key)
    assert opened(page) == "clip_01"
    page.keyboard.press("Control+j")
    assert opened(page) == "clip_01"
    page.keyboard.press("x")
    assert quick(page, "☑").get_attribute("aria-pressed") == "false"
    quick(page, "☑").click()
    count(page, "1 of 60 clips")
    page.clock.run_for(500)
    page.wait_for_function("window.sent.some((m) => m.kind === 'state' && m.shown.length === 1)")
    state = [message for message in page.evaluate("window.sent") if message["kind"] == "state"][-1]
    assert state["shown"] == [1] and state["open"] == 1
    marks = [message for message in page.evaluate("window.sent") if message["kind"] == "mark"]
    assert [(mark["position"], mark["on"]) for mark in marks] == [(1, True)]
    page.keyboard.press("?")
    assert page.is_visible("[role=dialog]") and page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Escape")
    assert not page.is_visible("[role=dialog]")
    assert page.evaluate("window.outer") == 0
    assert page.get_attribute(".emolab-inspector", "data-lm-suppress-shortcuts") == "true"


def test_an_annotated_clip_leaves_a_list_of_those_that_are_not(page):
    page.click(".ei-panel summary")
    page.click(".ei-panel button:has-text('not annotated')")
    count(page, "60 of 60 clips")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    count(page, "59 of 60 clips")
    page.keyboard.press("j")
    assert opened(page) == "clip_01"
    quick(page, "✎").wait_for()


def test_a_kernel_that_is_gone_and_comes_back(page):
    page.evaluate("window.dead = true")
    page.clock.run_for(13_000)
    assert "The kernel does not answer" in page.text_content(".ei-banner") and page.is_visible(".ei-banner")
    quick(page, "+").click()
    count(page, "31 of 60 clips")  # looking goes on
    page.evaluate("window.dead = false")
    page.clock.run_for(13_000)
    page.wait_for_selector(".ei-banner", state="hidden")


def test_answers_of_other_views_are_ignored_but_not_what_concerns_all(page):
    give = "(message) => { for (const listener of window.listeners) listener(message, []); }"
    row = {
        "id": "1",
        "clip_id": "clip_03",
        "labels": ["odd"],
        "note": "",
        "author": HOSTILE,
        "time": "2026-01-01T00:00:00Z",
    }
    page.evaluate(give, {"kind": "problem", "request": "another 1", "text": "not for us"})
    page.evaluate(give, {"kind": "annotated", "request": "another 2", "position": 3, "row": row, "history": [row]})
    page.wait_for_selector(".ei-item:has-text('clip_03') .ei-flag:has-text('✎')")
    assert "not for us" not in page.text_content("body")


def test_untrusted_text_stays_text(page):
    page.focus(".emolab-inspector")
    page.keyboard.press("End")
    page.click("button:has-text('Confusion')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".ei-right section:has-text('Raw answer')")
    page.click(".ei-panel summary")
    page.locator(".ei-right .ei-chip.ei-spurious").first.click()
    count(page, "1 of 60 clips")
    assert HOSTILE[:50] in page.text_content(".ei-pill")
    assert page.evaluate("window.hurt") is None
    assert page.locator(".emolab-inspector :is(img:not([src^='blob:']), script)").count() == 0


@pytest.mark.parametrize("width", [1300, 860, 700, 520, 340])
def test_no_width_scrolls_sideways_and_the_count_stays(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelector('.ei-body').scrollTop = 500")
    box = page.locator(".ei-count button").bounding_box()
    assert 0 <= box["y"] < 800 and box["x"] + box["width"] <= width


def test_a_view_that_is_closed_lets_go(page):
    page.evaluate("window.end()")
    sent = page.evaluate("window.sent.length")
    page.clock.run_for(10_000)
    assert page.evaluate("window.listeners.size") == 0 and page.evaluate("window.sent.length") == sent


def test_the_static_page_filters_offline(browser, tmp_path):
    write_video(tmp_path / "v.mp4", [np.full((32, 48, 3), 8 * n, np.uint8) for n in range(24)], 12)
    media = Media([Look("drawn", FrameSettings(), FaceSettings(cache=False))], None)
    path = write_page(make_inspection(str(tmp_path / "v.mp4")), tmp_path / "a page.html", media, most=50, pictures=50)
    context = browser.new_context(viewport={"width": 1300, "height": 800}, offline=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    said, asked = [], []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url.split(":")[0]))
    page.goto(path.as_uri())
    count(page, "50 of 50 clips")
    quick(page, "+").click()
    count(page, "31 of 50 clips")
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    count(page, "1 of 50 clips")
    page.click(".ei-item")
    page.wait_for_selector(".ei-strip img")
    page.wait_for_selector(".ei-item img")
    page.keyboard.press("Escape")
    page.keyboard.press("1")  # nothing to write to
    page.wait_for_timeout(200)
    assert page.evaluate("window.hurt") is None and said == [] and set(asked) <= {"file", "blob"}
    context.close()
