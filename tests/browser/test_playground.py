"""The fusion playground in a browser: its view, answered by the real Python side."""

import json

import pytest

from emolab.errors import InputError
from emolab.fusion.panel import Member, make_panel
from emolab.inspect.playground import Playground, playground
from emolab.inspect.playground_bench import Knob, Knobbed
from emolab.labels.wheel import own_wheels
from emolab.scoring import wheel

HOST = """async (source) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  window.listeners = new Set();
  window.sent = [];
  window.computing = window.most = window.delay = 0;
  const model = {
    on: (_, listener) => window.listeners.add(listener),
    off: (_, listener) => window.listeners.delete(listener),
    send: async (message) => {
      window.sent.push(message);
      window.computing += message.kind === "fuse";
      window.most = Math.max(window.most, window.computing);
      const reply = JSON.parse(await window.kernel(JSON.stringify(message)));
      await new Promise((then) => setTimeout(then, window.delay));
      window.computing -= message.kind === "fuse";
      for (const listener of window.listeners) listener(reply, []);
    },
  };
  window.end = module.default.render({ model, el: document.body });
}"""
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"
TRUTH = {f"clip_{n:02}": ["happy"] if n % 2 else ["sad", "angry"] for n in range(45)} | {HOSTILE: ["calm"]}
PANEL = make_panel(
    [
        Member("right", {clip: labels for clip, labels in TRUTH.items()}),
        Member("joyful", {clip: ["joyful"] for clip in TRUTH}),
        Member(HOSTILE, {clip: ["joyful", "worried"] for clip in TRUTH} | {HOSTILE: [HOSTILE]}),
    ]
)


def union(panel, _):
    return {clip: [word for member in panel.members for word in member.labels[clip]] for clip in panel.clip_ids}


def first_k(panel, k):
    return {clip: labels[: int(k)] for clip, labels in union(panel, None).items()}


def refuse(panel, value):
    raise InputError(f"{HOSTILE} needs true labels")


def score(fused):
    result = wheel.score(TRUTH, fused, own_wheels())
    values = result.values()
    names = {"precision": "level1_precision", "recall": "level1_recall", "f": "level1_f", "avg": "level1_avg"}
    return {"n": result.n, "labels_per_clip": result.labels_per_clip} | {key: values[it] for key, it in names.items()}


@pytest.fixture
def page(browser):
    """A page with the view alone; what it sends is answered by the widget itself."""
    strategies = [
        Knobbed("first", f"The first k labels. {HOSTILE}", Knob("at most k", 1, 4, 1, 2), first_k),
        Knobbed("union", "All labels.", None, union),
        Knobbed(HOSTILE, "Refuses.", Knob("trade-off", 0.1, 0.9, 0.1, 0.5), refuse),
    ]
    points = [{"name": HOSTILE, "precision": 0.3, "recall": 0.5}]
    widget = playground(PANEL, TRUTH, score, strategies, corpus=f"drawn corpus {HOSTILE}", points=points)
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.expose_function("kernel", lambda message: json.dumps(widget.reply(json.loads(message))))
    page.add_style_tag(content=Playground._css)
    page.evaluate(HOST, Playground._esm)
    page.wait_for_selector(".ep-clips details")
    yield page
    page.close()
    assert errors == []


def status(page, text):
    page.wait_for_function("(text) => document.querySelector('.ep-status').textContent.includes(text)", arg=text)


def numbers(page):
    return dict(zip(("P", "R", "F", "Avg", "labels"), page.locator(".ep-number").all_text_contents(), strict=True))


def of_kind(page, kind):
    return [message for message in page.evaluate("window.sent") if message["kind"] == kind]


def test_the_first_view_shows_all_members_under_the_first_strategy(page):
    assert page.locator("legend").text_content() == "Members (3 of 3)"
    status(page, "first, at most k 2, 3 of 3 members: scored on")
    known = score(first_k(PANEL, 2))
    assert numbers(page)["P"] == f"{100 * known['precision']:.1f} %"
    assert numbers(page)["labels"] == f"{known['labels_per_clip']:.2f}"
    assert page.locator(".ep-now").count() == 1 and page.locator(".ep-past").count() == 0
    assert page.locator("figure svg text:has-text('F 6')").count() >= 1
    assert page.locator(".ep-change").all_text_contents() == [""] * 5


def test_the_slider_moves_the_point_the_numbers_and_the_chips(page):
    chips = page.locator(".ep-clips details").nth(1).locator(".ep-chip")
    assert chips.all_text_contents() == ["✓ happy3", "✓ joyful3"]
    page.focus("input[type=range]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    status(page, "at most k 4")
    page.wait_for_selector(".ep-chip.ep-spurious.ep-new")
    assert len(of_kind(page, "fuse")) == 2  # the first view, and both key presses together
    assert page.locator(".ep-past").count() == 1
    changes = page.locator(".ep-change").all_text_contents()
    assert changes[0].startswith("▼ −") and changes[4].startswith("▲ +")
    page.click("button:has-text('Forget the trail')")
    assert page.locator(".ep-past").count() == 0 and page.locator(".ep-now").count() == 1


def test_members_and_strategies(page):
    page.locator(".ep-members input").nth(2).uncheck()
    status(page, "2 of 3 members: scored on")
    page.locator(".ep-members input").nth(1).uncheck()
    status(page, "1 of 3 members: scored on")
    page.select_option("select", "union")
    status(page, "union, 1 of 3 members: scored on")
    assert numbers(page)["P"] == numbers(page)["R"] == "100.0 %"
    assert not page.locator("input[type=range]").is_visible()
    page.click("button:has-text('None')")
    status(page, "no member is chosen; tick at least one")
    assert page.locator(".ep-stale").count() == 1
    page.click("button:has-text('All')")
    status(page, "union, 3 of 3 members: scored on")
    assert page.locator(".ep-stale").count() == 0
    page.select_option("select", HOSTILE)
    status(page, "needs true labels")
    page.select_option("select", "union")
    status(page, "union, 3 of 3 members: scored on")
    assert page.locator(".ep-past").count() == 4  # first with 3, 2 and 1, union with 1; the same setting is one point


def test_clips_by_page_and_filter_and_who_said_what(page):
    place = page.locator(".ep-moves span")
    assert place.text_content() == "1 to 20 of 46 clips" and page.locator(".ep-clips details").count() == 20
    page.click("button:has-text('Previous')", force=True)  # nothing before the first page
    page.click("button:has-text('Next')")
    page.wait_for_selector("summary:has-text('clip_20')")
    page.click("button:has-text('Next')")
    page.wait_for_selector("summary:has-text('clip_40')")
    assert place.text_content() == "41 to 46 of 46 clips" and page.locator(".ep-clips details").count() == 6
    page.fill("input[type=search]", "CLIP_01")
    page.wait_for_selector("text=1 to 1 of 1 clips")
    page.focus("summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("details p:has-text('✓ happy: said by right, joyful (as joyful)')")
    page.fill("input[type=search]", "nowhere")
    page.wait_for_selector("text=No clip holds this text.")


def test_stale_answers_are_dropped_and_one_setting_is_computed_at_a_time(page):
    moves = """async () => {
      window.delay = 400;
      for (const value of [1, 2, 3, 4, 1, 4, 3]) {
        document.querySelector("input[type=range]").value = value;
        document.querySelector("input[type=range]").dispatchEvent(new Event("input"));
        await new Promise((then) => setTimeout(then, 200));
      }
    }"""
    page.evaluate(moves)
    status(page, "at most k 3")
    page.wait_for_function("!window.computing")
    assert page.evaluate("window.most") == 1
    assert numbers(page)["P"] == f"{100 * score(first_k(PANEL, 3))['precision']:.1f} %"
    before = numbers(page)
    old = of_kind(page, "fuse")[0]["request"]
    wrong = {"n": 1, "precision": 0, "recall": 0, "f": 0, "avg": 0, "labels_per_clip": 0}
    for request in (old, "another view 1", None):
        answer = {"kind": "fused", "request": request, "scores": wrong}
        page.evaluate("(answer) => { for (const listener of window.listeners) listener(answer, []); }", answer)
    assert numbers(page) == before


def test_untrusted_text_stays_text(page):
    page.fill("input[type=search]", "onerror")
    page.wait_for_selector("text=1 to 1 of 1 clips")
    page.select_option("select", HOSTILE)
    status(page, "needs true labels")
    assert page.locator(".ep-points li").text_content() == HOSTILE
    assert page.locator("summary b").text_content() == HOSTILE
    page.wait_for_timeout(200)
    assert page.evaluate("window.hurt") is None and page.locator(".emolab-playground :is(img, script)").count() == 0


def test_every_control_is_reached_by_key_and_shows_its_focus(page):
    page.focus("button:has-text('All')")
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        name = "e => e.type || e.tagName.toLowerCase()"
        reached.append(page.evaluate(f"({name})(document.activeElement)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    boxes = ["checkbox"] * 3
    assert reached == ["button", *boxes, "select-one", "range", "button", "search", "button"]


def test_a_narrow_view_does_not_scroll_sideways(page):
    for width in (1000, 600, 340):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_view_that_is_closed_lets_go(page):
    page.focus("input[type=range]")
    page.keyboard.press("ArrowRight")
    page.evaluate("window.end()")
    asked = len(of_kind(page, "fuse"))
    page.wait_for_timeout(300)
    assert page.evaluate("window.listeners.size") == 0 and len(of_kind(page, "fuse")) == asked
