"""Notebook 08 as people meet it: `emolab lab`, a real JupyterLab in Chromium, and the page that `emolab run` leaves."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from emolab.inspect.annotation_file import AnnotationFile

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOK = "08_inspect_predictions"
SETTINGS = (
    "corpus.described=12 corpus.labelled=0 corpus.unlabelled=0 corpus.stills=0 corpus.test=4 sft.seeds=[] "
    "scoring.bootstrap=100"
)
FPS = 12.5  # of drawn clips
HOSTILE = "</script><script>window.hurt = 1</script><img src=x onerror=\"window.hurt = 1\"> & 'this' \u202epng"
SAID_IT, FAILED_SO = "described_00011", "described_00010"  # the clips of hostile text
NOTE = "a note, dd x"
CELLS = """() => {
  const { content } = jupyterapp.shell.currentWidget;
  const cells = Array.from(content.model.cells, ({ id, type }) => `${type} ${id}`);
  return [content.activeCellIndex, content.mode, cells.join()];
}"""
IDLE = """(name) => {
  const { context, sessionContext } = jupyterapp.shell.currentWidget ?? {};
  return context?.path.includes(name) && sessionContext.session?.kernel?.status === "idle";
}"""
VIDEO = """() => {
  const video = document.querySelector(".emolab-inspector video");
  const { currentSrc, currentTime, muted, paused, volume, readyState } = video;
  return { currentSrc, currentTime, muted, paused, volume, readyState, heard: video.webkitAudioDecodedByteCount };
}"""


def emolab(project, *words):
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", "emolab", *words], cwd=project, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def change(path, clip_id, **values):
    """Other values in one row of a JSONL file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    next(row for row in rows if row["clip_id"] == clip_id).update(values)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def project(browser, tmp_path_factory):
    """A project where 03 has answered twelve drawn clips; of two, what is known and was said holds hostile text."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "notebooks", project / "notebooks")
    path = project / "notebooks" / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, 4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = f'profile = "demo"\nsettings = "{SETTINGS}"'
    nbformat.write(notebook, path)
    emolab(project, "run", "03", "--profile", "demo", "--set", *SETTINGS.split())
    answers = project / "outputs/demo/03_internvl_finetune/zero_shot.jsonl"
    change(answers, SAID_IT, text=HOSTILE, labels=[HOSTILE, "happy"])
    change(answers, FAILED_SO, labels=[], error=HOSTILE)
    (clips,) = project.glob("outputs/drawn-*/clips.jsonl")
    change(clips, SAID_IT, transcript=HOSTILE, speaker=HOSTILE, description=HOSTILE)
    return project


@pytest.fixture(scope="module")
def folder(project):
    return project / "outputs" / "demo" / NOTEBOOK


@pytest.fixture(scope="module")
def address(jupyterlab, project):
    with jupyterlab(project, "emolab", "lab") as address:
        yield address


@pytest.fixture(scope="module")
def start(browser, address):
    """The page that opens first."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(120_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
    page.goto(f"{address}?token=t")
    page.wait_for_selector(".jp-RenderedMarkdown table")
    yield page
    context.close()
    assert [error for error in errors if "blob:" in error] == []  # modules of widgets; the others are JupyterLab's


@pytest.fixture(scope="module")
def served(start):
    """(status, url) of what the server gave of files."""
    found = []
    start.on("response", lambda answer: "/files/" in answer.url and found.append((answer.status, answer.url)))
    return found


@pytest.fixture(scope="module")
def notebook(start, served):
    """Notebook 08, opened by its link, all cells run."""
    start.click(f".jp-RenderedMarkdown a:has-text('{NOTEBOOK}')")
    run_all(start)
    return start


@pytest.fixture
def page(notebook):
    """The inspector as at first: no filter, the first clip, the focus on it."""
    notebook.focus(".emolab-inspector")
    for key in ("Escape", "Escape", "c", "Home"):
        notebook.keyboard.press(key)
    opened(notebook, "described_00000")
    return notebook


def run_all(page):
    page.wait_for_function(IDLE, arg=NOTEBOOK)  # before, a cell that is run is forgotten
    menu(page, "Run", "Run All Cells")
    page.wait_for_selector(".emolab-inspector .ei-body:not([hidden])")
    page.wait_for_selector("text=/inspector.html: .* MB/")
    page.wait_for_function(IDLE, arg=NOTEBOOK)


def menu(page, name, entry):
    page.click(f".lm-MenuBar-item:has-text('{name}') >> nth=0")
    page.click(f".lm-Menu-item:has-text('{entry}') >> nth=0")


def opened(page, clip_id):
    page.wait_for_function("(id) => document.querySelector('.ei-clip-name')?.textContent === id", arg=clip_id)


def open_clip(page, number):
    page.focus(".emolab-inspector")
    page.keyboard.press("Home")
    for _ in range(number):
        page.keyboard.press("j")
    opened(page, f"described_{number:05}")


def text_of(page, selector, text):
    page.wait_for_function("([s, t]) => document.querySelector(s).textContent.includes(t)", arg=[selector, text])


def flag(page, number, state="attached"):
    """Wait until a clip of the list is (not) signed as annotated."""
    page.wait_for_selector(f".ei-item:has-text('described_{number:05}') .ei-flag:has-text('✎')", state=state)


def annotations(folder):
    return [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]


def annotate(page, number):
    """Take the first label out and write a note, by keys."""
    open_clip(page, number)
    page.wait_for_selector(".ei-toggle[aria-pressed=true]")
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.type(NOTE)
    page.keyboard.press("Enter")
    page.wait_for_selector("summary:has-text('History (2)')")
    flag(page, number)


def plays(page, address):
    """Space plays the open clip, with sound, from the server."""
    page.wait_for_function("() => document.querySelector('.emolab-inspector video').readyState >= 1")
    assert page.evaluate(VIDEO)["paused"]
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.emolab-inspector video').currentTime > 0.4")
    found = page.evaluate(VIDEO)
    assert found["currentSrc"].startswith(f"{address}files/outputs/drawn-")
    assert not found["muted"] and found["volume"] > 0 and found["heard"] > 0
    return found["currentSrc"]


# --- JupyterLab


def test_the_start_page_links_the_notebooks_and_says_what_has_run(start):
    lines = [row.text_content().strip() for row in start.locator(".jp-RenderedMarkdown tbody tr").all()]
    assert [line[:2] for line in lines] == [f"0{number}" for number in range(1, 9)]
    assert [number for number, line in enumerate(lines, 1) if "✓" in line] == [3]
    assert start.locator(".jp-RenderedMarkdown td a:has-text('report')").count() == 1


def test_keys_change_the_clip_and_not_the_notebook(page):
    page.locator(".emolab-inspector h3").first.click()
    before = page.evaluate(CELLS)
    page.keyboard.press("ArrowDown")
    opened(page, "described_00001")
    page.keyboard.press("j")
    opened(page, "described_00002")
    for key in ("d", "d", "a", "b", "m", "y", "z", "0", "0", "Enter", "Shift+Enter", "Escape", "x", "x"):
        page.keyboard.press(key)  # cells would be deleted, added, changed, restored, run; the kernel restarted
    page.keyboard.press("/")
    page.keyboard.type("dd abxm")
    assert page.input_value(".ei-search") == "dd abxm"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "emolab-inspector"
    opened(page, "described_00002")
    assert page.evaluate(CELLS) == before and before[1] == "command"


def test_what_is_typed_in_a_cell_is_none_of_the_inspectors_keys(page):
    page.click(".jp-CodeCell .cm-content >> nth=-1")
    page.keyboard.type("jx1")
    assert page.locator(".jp-CodeCell .cm-content").last.text_content().count("jx1") == 1
    for _ in range(3):
        page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    assert page.evaluate(CELLS)[1] == "command"
    assert page.locator(".ei-clip-name").text_content() == "described_00000"


def test_space_plays_with_sound_and_arrows_step_frames(page, address, served):
    open_clip(page, 1)
    source = plays(page, address)
    assert source.endswith("/video/described_00001.mp4")
    assert (206, source) in served  # by ranges
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.emolab-inspector video').paused")
    page.locator(".ei-frame").first.click()
    seen = float(page.locator(".ei-frame").first.text_content().removesuffix(" s"))
    page.focus(".emolab-inspector")
    for key, frames in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        assert page.evaluate(VIDEO)["currentTime"] == pytest.approx(seen + frames / FPS, abs=0.01)


def test_a_chip_changes_the_count_and_clear_brings_it_back(page):
    count = page.locator(".ei-count span")
    assert count.text_content() == "12 of 12 clips"
    page.locator(".ei-quick button", has_text="+").click()
    spurious = page.locator(".ei-quick button", has_text="+").text_content().removeprefix("+")
    assert count.text_content() == f"{spurious} of 12 clips" and 0 < int(spurious) < 12
    chip = page.locator(".ei-models .ei-chip.ei-spurious").first
    chip.click()
    assert page.locator(".ei-pill").text_content().startswith("+ ")
    assert int(count.text_content().split()[0]) <= int(spurious)
    page.click(".ei-count button")
    assert count.text_content() == "12 of 12 clips"


def test_labels_and_notes_by_key_reach_the_disk(page, folder):
    annotate(page, 3)
    first, second = (row for row in annotations(folder) if row["clip_id"] == "described_00003")
    assert first["author"] and first["labels"] == second["labels"] and [first["note"], second["note"]] == ["", NOTE]
    truth = page.locator(".ei-truth > .ei-chips bdi").all_text_contents()
    assert set(first["labels"]) == set(truth[1:])  # the first one was taken out


def test_two_tabs_see_the_same(page, address, folder):
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    other = page.context.new_page()
    other.set_default_timeout(120_000)
    other.goto(f"{address}lab/tree/notebooks/{NOTEBOOK}.ipynb")
    other.wait_for_selector(".ei-item")
    open_clip(page, 5)
    page.keyboard.press("2")
    flag(other, 5)
    other.focus(".emolab-inspector")
    other.keyboard.press("u")
    flag(page, 5, state="detached")
    flag(other, 5, state="detached")
    assert annotations(folder)[-1]["undoes"] == annotations(folder)[-2]["id"]
    other.close()


def test_what_was_annotated_outlives_the_kernel(page, folder):
    annotate(page, 4)
    kept = (folder / "annotations.jsonl").read_bytes()
    menu(page, "Kernel", "Restart Kernel…")
    page.click(".jp-Dialog button:has-text('Restart')")
    page.wait_for_selector(".ei-banner:has-text('The kernel does not answer')")
    page.focus(".emolab-inspector")
    page.keyboard.press("1")
    text_of(page, ".ei-status", "nothing can be saved")
    page.keyboard.press("j")
    opened(page, "described_00005")  # looking goes on
    assert (folder / "annotations.jsonl").read_bytes() == kept
    run_all(page)
    page.wait_for_selector(".ei-banner", state="hidden")
    flag(page, 4)
    open_clip(page, 4)
    page.wait_for_function("(note) => document.querySelector('.ei-note').value === note", arg=NOTE)
    text_of(page, ".ei-diff", "Annotation by")
    page.wait_for_selector(f".jp-OutputArea-output table:has-text('{NOTE}')")  # view.annotations
    assert (folder / "annotations.jsonl").read_bytes() == kept


def test_hostile_text_stays_text(page):
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    text_of(page, ".ei-count", "1 of 12")
    page.locator(".ei-item").click()
    opened(page, SAID_IT)
    text_of(page, ".ei-facts", HOSTILE)
    assert page.locator(".ei-transcript").text_content() == HOSTILE
    assert page.locator(".ei-models .ei-chip.ei-spurious bdi").first.text_content() == HOSTILE.lower()
    page.click(".ei-models summary:has-text('Raw answer')")
    assert page.locator(".ei-models details[open] pre").text_content() == HOSTILE
    page.click(".ei-count button")
    open_clip(page, 10)
    text_of(page, ".ei-models .ei-problem", HOSTILE)
    assert page.evaluate("window.hurt") is None
    assert page.locator(".jp-Notebook :is(script, [onerror], img[src=x])").count() == 0


def test_what_takes_long_comes_from_threads_of_the_kernel(page, project):
    """Lengths of all clips, and the profile's models on a video of one's own."""
    page.select_option("[aria-label=Order]", label="Longest first")
    page.wait_for_selector(".ei-item .ei-length:has-text('0:02')")
    page.select_option("[aria-label=Order]", label="As in the file")
    (video,) = project.glob("outputs/drawn-*/video/described_00002.mp4")
    page.click("summary:has-text('Try a video of your own')")
    page.set_input_files("input[type=file]", video)
    page.click("button:text-is('Run')")
    text_of(page, ".ei-count", "13 of 13 clips")
    text_of(page, ".ei-status", "was predicted")
    page.wait_for_selector(".ei-model .ei-chip")


def test_the_video_plays_below_another_base_url(browser, jupyterlab, project):
    with jupyterlab(project, "emolab", "lab", base_url="/deep/er/") as address:
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{address}lab/tree/notebooks/{NOTEBOOK}.ipynb?token=t")
        run_all(page)
        page.focus(".emolab-inspector")
        plays(page, address)
        page.close()


# --- `emolab run`


def test_a_page_is_left_that_filters_without_a_kernel_or_a_network(browser, project, folder):
    AnnotationFile(folder / "annotations.jsonl").annotate(SAID_IT, ["calm"], NOTE, "me")
    kept = (folder / "annotations.jsonl").read_bytes()
    emolab(project, "run", "08", "--profile", "demo", "--set", *SETTINGS.split())
    assert (folder / "annotations.jsonl").read_bytes() == kept
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "report.html").as_uri())
    assert HOSTILE in page.locator("body").text_content()
    link = page.locator("a:has-text('All clips on a page that filters')")
    assert link.get_attribute("href") == "inspector.html"
    link.click()
    text_of(page, ".ei-count", "12 of 12 clips")
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    page.keyboard.type("ONERROR")
    text_of(page, ".ei-count", "1 of 12 clips")
    page.click(".ei-item")
    text_of(page, ".ei-transcript", HOSTILE)
    page.wait_for_selector(".ei-strip img")
    page.click(".ei-count button")
    text_of(page, ".ei-count", "12 of 12 clips")
    assert page.evaluate("window.hurt") is None
    assert page.locator(":is([onerror], img[src=x])").count() == 0
    loaded = [url for url in asked if not url.startswith(("blob:", "data:"))]
    assert loaded == [(folder / name).as_uri() for name in ("report.html", "inspector.html")]
    context.close()
