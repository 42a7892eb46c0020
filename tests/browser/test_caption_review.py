"""The review widget in a browser: its view alone, answered by the real Python side, and as a cell of JupyterLab."""

import base64
import json

import nbformat
import pytest
from PIL import Image

from emolab.captions.annotations import annotate, read_annotations
from emolab.demo.draw import Stage
from emolab.demo.scenario import scenario, stable_rng
from emolab.demo.texts import Writer
from emolab.inspect.caption_review import CaptionReview, review

HOST = """async (source) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const listeners = new Set();
  const model = {
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    send: async (message) => {
      const [reply, buffers] = JSON.parse(await window.kernel(JSON.stringify(message)));
      const views = buffers.map((each) => new DataView(Uint8Array.from(atob(each), (c) => c.charCodeAt(0)).buffer));
      for (const listener of listeners) listener(reply, views);
    },
  };
  window.end = module.default.render({ model, el: document.body });
  window.listeners = listeners;
}"""


@pytest.fixture
def folder(tmp_path):
    """A run's folder with six pairs in pairs.jsonl; the second one holds hostile text, the fifth no image."""
    (tmp_path / "images").mkdir()
    with (tmp_path / "pairs.jsonl").open("w") as file:
        for number, score in enumerate((0.95, 0.2, 0.9, None, 1.0, 0.85)):
            drawn = scenario("review", number)
            Image.fromarray(Stage(drawn).frame(0.6)).save(tmp_path / "images" / f"{number}.jpg")
            writer, kept = Writer(drawn, stable_rng("review", number)), score is not None and score >= 0.9
            hostile = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'> " if number == 1 else ""
            row = {
                "image_id": f"clip_{number}",
                "image": "../none.jpg" if number == 4 else f"images/{number}.jpg",
                "first": writer.caption(),
                "second": hostile + writer.caption(),
                "answer": hostile + str(score),
                "score": score,
                "expected": score,
                "kept": kept,
                "reason": None if kept else hostile + "Too low.",
                "chosen": "first" if kept else None,
            }
            file.write(json.dumps(row) + "\n")
    return tmp_path


@pytest.fixture
def page(browser, folder):
    """A page with the view alone; what it sends is answered by the widget itself."""
    widget = review(
        [json.loads(line) for line in (folder / "pairs.jsonl").open()],
        folder,
        folder / "annotations.jsonl",
        corpus="drawn corpus",
    )

    def kernel(message):
        reply, buffers = widget.reply(json.loads(message))
        return json.dumps([reply, [base64.b64encode(each).decode() for each in buffers]])

    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.expose_function("kernel", kernel)
    page.evaluate(HOST, CaptionReview._esm)
    page.wait_for_selector(".emolab-review figcaption:has-text('clip_0')")
    yield page
    page.close()
    assert errors == []


def expect(page, text):
    page.wait_for_selector(f".emolab-review :text('{text}')")


def verdicts(folder):
    return {name: row["verdict"] for name, row in read_annotations(folder / "annotations.jsonl").items()}


def test_verdicts_by_key_are_saved_and_move_on(page, folder):
    page.focus(".emolab-review")
    for key, shown in (("k", "clip_1"), ("d", "clip_2"), ("f", "clip_3")):
        page.keyboard.press(key)
        page.wait_for_selector(f"figcaption:has-text('{shown}')")
    assert verdicts(folder) == {"clip_0": "keep", "clip_1": "drop", "clip_2": "flag"}
    expect(page, "3 of 6 reviewed")
    page.keyboard.press("ArrowLeft")
    expect(page, "⚑ flagged by you")
    page.keyboard.press("u")
    expect(page, "2 of 6 reviewed")
    assert verdicts(folder) == {"clip_0": "keep", "clip_1": "drop"}
    for key, shown in (("j", "clip_1"), ("j", "clip_0"), ("n", "clip_2"), ("l", "clip_3")):
        page.keyboard.press(key)
        page.wait_for_selector(f"figcaption:has-text('{shown}')")


def test_a_note_is_saved_with_the_verdict_and_its_letters_are_no_commands(page, folder):
    page.click("button:has-text('Keep')")
    page.wait_for_selector("figcaption:has-text('clip_1')")
    page.click("button:has-text('Previous')")
    page.keyboard.press("m")
    page.keyboard.type("dark, faded")
    page.keyboard.press("Enter")
    expect(page, "clip_0, saved")
    row = read_annotations(folder / "annotations.jsonl")["clip_0"]
    assert (row["verdict"], row["note"]) == ("keep", "dark, faded")
    page.keyboard.press("ArrowRight")  # the keys work again
    page.wait_for_selector("figcaption:has-text('clip_1')")


def test_filter_and_order(page, folder):
    options = page.locator("select").nth(0).locator("option").all_text_contents()
    assert options[:4] == ["all pairs (6)", "undecided (6)", "kept by the filter (3)", "dropped by the filter (3)"]
    page.select_option("select >> nth=1", "lowest score first")
    page.select_option("select >> nth=0", "dropped by the filter")
    seen = []
    for place in (1, 2, 3):
        expect(page, f"{place} of 3")
        seen.append(page.locator("figcaption").text_content())
        page.focus(".emolab-review")
        page.keyboard.press("k")
        expect(page, f"{place} of 6 reviewed")
        page.wait_for_function("!document.querySelector('.er-loading')")
    assert seen == ["clip_1", "clip_5", "clip_3"]  # the one without a score last
    page.select_option("select >> nth=0", "filter overruled")
    expect(page, "of 3")
    page.select_option("select >> nth=0", "flagged")
    expect(page, "No pair here")


def test_model_text_stays_text_and_a_missing_image_is_a_sentence(page):
    page.focus(".emolab-review")
    page.keyboard.press("l")
    expect(page, "window.hurt = 1")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hurt") is None and page.locator(".emolab-review img").count() == 1
    page.keyboard.press("l")
    for name in ("clip_3", "clip_4"):
        page.keyboard.press("l")
        page.wait_for_selector(f"figcaption:has-text('{name}')")
    expect(page, "lies outside of the images")
    assert not page.locator(".emolab-review img").is_visible()


def test_a_verdict_that_is_not_saved_is_not_shown_as_saved(page, folder):
    (folder / "annotations.jsonl").mkdir()
    page.focus(".emolab-review")
    page.keyboard.press("k")
    expect(page, "cannot be written")
    expect(page, "0 of 6 reviewed")
    (folder / "annotations.jsonl").rmdir()
    page.keyboard.press("k")
    expect(page, "1 of 6 reviewed")


def test_a_view_that_is_closed_lets_go(page):
    page.evaluate("window.end()")
    assert page.evaluate("window.listeners.size") == 0


@pytest.fixture
def lab(jupyterlab, folder):
    """JupyterLab on a notebook whose cell shows the widget; yields the address."""
    notebook = nbformat.v4.new_notebook()
    code = (
        "from emolab.engine.rows import read_rows\nfrom emolab.inspect.caption_review import review\n"
        "review(read_rows('pairs.jsonl'), '.', 'annotations.jsonl', corpus='drawn corpus')"
    )
    notebook.cells = [nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("'the second cell'")]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "review.ipynb")
    with jupyterlab(folder) as address:
        yield f"{address}lab/tree/review.ipynb?token=t"


def run_first_cell(browser, address):
    page = browser.new_page(viewport={"width": 1300, "height": 950})
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector("#jp-main-statusbar :text('| Idle')")  # before, a cell that is run is forgotten
    page.click(".jp-Notebook .jp-Cell >> nth=0")
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".emolab-review figcaption:has-text('clip_0')")
    return page


def test_in_jupyterlab_keys_go_to_the_widget_and_not_to_the_notebook(browser, lab, folder):
    annotate(folder / "annotations.jsonl", "clip_5", "flag")
    page = run_first_cell(browser, lab)
    expect(page, "1 of 6 reviewed")
    page.click(".emolab-review h3")
    for key, shown in (("d", "clip_1"), ("d", "clip_2"), ("k", "clip_3")):  # d d deletes a cell in JupyterLab
        page.keyboard.press(key)
        page.wait_for_selector(f"figcaption:has-text('{shown}')")
    assert verdicts(folder) == {"clip_0": "drop", "clip_1": "drop", "clip_2": "keep", "clip_5": "flag"}
    page.keyboard.press("m")
    page.keyboard.type("abdd x")  # a, b add cells, x cuts one
    assert page.locator(".er-note input").input_value() == "abdd x"
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2
    assert page.evaluate("document.querySelector('.emolab-review img').naturalWidth") == 224
    page.close()
