"""Time and bytes of the inspector on many clips, and of a plain list of them, in one run.

Clips and answers are drawn with a seed: of every clip one to four emotions are true, of which each model says some, in
its own words, and other words besides. In Chromium, which needs playwright, times go from the message that brings the
columns, or the click, until the browser has painted. Beside it, in the same Chromium: `DataFrame.to_html` of the same
clips (`--table-rows` of them). The video is bench_player's.

Nothing is asserted.
"""

import base64
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import report
from browser import chromium

from emolab.corpora.clip import Clip
from emolab.inspect.annotation_file import AnnotationFile
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector import Inspector
from emolab.inspect.inspector_page import write_page
from emolab.inspect.media import Media
from emolab.inspect.opening import SIX_FRAMES
from emolab.inspect.sources import script, style
from emolab.labels.lexicon import families

SPOKEN = "well i do not know what you mean but she said that they will come back home later this evening".split()
HOST = """async (source) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const listeners = new Set();
  const model = {
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    send: async (message) => {
      const answers = await window.kernel(JSON.stringify(message));
      for (const [answer, parts] of answers.map(([answer, parts]) => [answer, parts.map(bytes)])) {
        const begin = performance.now();
        for (const listener of listeners) listener(answer, parts);
        await window.painted();
        if (answer.kind === "index") window.first = performance.now() - begin;
      }
    },
  };
  const frame = () => new Promise((then) => requestAnimationFrame(then));
  window.painted = async () => { await frame(); await frame(); };
  module.default.render({ model, el: document.body });
}"""
TIMED = """async ([selector, act, value]) => {
  const element = [...document.querySelectorAll(selector)].find((each) => act !== "click" || each.checkVisibility());
  const count = () => document.querySelector(".ei-count").textContent;
  const before = count();
  const begin = performance.now();
  if (act === "click") element.click();
  else {
    element.value = value;
    element.dispatchEvent(new Event(act));
    while (act === "input" && count() === before) await new Promise((then) => setTimeout(then));
  }
  await window.painted();
  return [performance.now() - begin, count()];
}"""


def draw(clips: int, models: int, seed: int = 0) -> tuple[list[Clip], dict[str, dict[str, dict[str, Any]]]]:
    """Clips with labels and words, and the rows of each model."""
    rng = random.Random(seed)
    kinds = [words for words in families().values() if len(words) > 1]
    likely = kinds[:25]
    drawn, answers = [], {f"model {number}": {} for number in range(models)}
    for number in range(clips):
        true = rng.sample(likely, rng.randint(1, 4))
        name, split = f"sample_{number:08}", rng.choice(("train", "train", "test"))
        transcript = " ".join(rng.choices(SPOKEN, k=rng.randint(4, 16)))
        labels = tuple(rng.choice(words) for words in true)
        drawn.append(Clip(name, labels=labels, transcript=transcript, split=split, corpus=f"part {number % 3}"))
        for rows in answers.values():
            said = [rng.choice(words) for words in true if rng.random() < 0.6]
            said += [rng.choice(rng.choice(kinds)) for _ in range(rng.randint(0, 3))]
            rows[name] = {"clip_id": name, "labels": said, "text": f"The person seems {', '.join(said)}."}
    return drawn, answers


def in_python(told: report.Report, clips: list[Clip], answers: dict, folder: Path, most: int) -> Inspection:
    n = f"{len(clips):,} clips, {len(answers)} models"
    seconds, inspection = report.timed(Inspection, clips, answers, "drawn")
    told.add("compared, as columns", seconds, n=n)
    seconds, (about, columns) = report.timed(inspection.index)
    told.add(
        "index: what a view is sent at first", seconds, n=n, note=megabytes(len(json.dumps(about)), *map(len, columns))
    )
    seconds, texts = report.timed(inspection.texts)
    told.add("transcripts, sent after that", seconds, n=n, note=megabytes(len(texts)))
    seconds, page = report.timed(lambda: write_page(inspection, folder / "page.html", most=most))
    told.add("page without a kernel, written", seconds, n=f"{most:,} clips", note=megabytes(page.stat().st_size))
    return inspection


def megabytes(*sizes: int) -> str:
    return f"{sum(sizes) / 1e6:.1f} MB"


def open_view(browser: Any, inspection: Inspection, folder: Path) -> tuple[Any, float]:
    """A page with the view, and the seconds from the arrival of the columns until the first rows were painted."""
    widget = Inspector(inspection, Media([SIX_FRAMES], None), AnnotationFile(folder / "annotations.jsonl"))

    def kernel(text: str) -> list:
        answers: list = []
        widget.handle(json.loads(text), [], lambda message, parts: answers.append((dict(message), parts)))
        return [(message, [base64.b64encode(part).decode() for part in parts]) for message, parts in answers]

    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(300_000)
    page.expose_function("kernel", kernel)
    page.add_style_tag(content=style())
    page.evaluate(HOST, script())
    page.wait_for_function("window.first")
    return page, page.evaluate("window.first") / 1000


def open_table(browser: Any, path: Path) -> float:
    """Seconds until the browser has painted a page of HTML."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(600_000)
    begin = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    seconds = time.perf_counter() - begin
    page.close()
    return seconds


def painted(told: report.Report, browser: Any, inspection: Inspection, folder: Path, rows: int, rounds: int) -> None:
    """The first paint of the view, and of the plain list: rows in one table of HTML."""
    import pandas as pd

    frame = pd.DataFrame([inspection.row(position) for position in range(rows)], columns=inspection.columns)
    path, n = folder / "table.html", f"{len(inspection):,} clips"
    made, html = report.timed(frame.to_html)
    path.write_text(html, encoding="utf-8")
    ours, theirs = "emolab", f"DataFrame.to_html of {rows:,} of them"
    seconds: dict[str, list[float]] = {ours: [], theirs: []}
    for _ in range(rounds):
        page, first = open_view(browser, inspection, folder)
        page.close()
        seconds[ours].append(first)
        seconds[theirs].append(open_table(browser, path))
    note = f"the table: {made:.1f} s to make, {megabytes(path.stat().st_size)}"
    told.compare("first rows painted", seconds, n=n, note=note)


def clicked(told: report.Report, browser: Any, inspection: Inspection, folder: Path) -> None:
    """What the view takes after its first paint."""
    page, _ = open_view(browser, inspection, folder)
    page.wait_for_timeout(3000)  # the transcripts come
    steps = {
        "filter: spurious labels": (".ei-quick button:nth-child(3)", "click", None),
        "filter: models disagree, too": (".ei-quick button:nth-child(4)", "click", None),
        "filter: a label": (".ei-models .ei-chip.ei-spurious", "click", None),
        "clear": (".ei-count button", "click", None),
        "sort: worst first": ("[aria-label=Order]", "change", "worst"),
        "sort: most disagreement": ("[aria-label=Order]", "change", "disagreement"),
        "search: a word (0.120 s of rest)": (".ei-search", "input", "evening"),
        "search: an id (0.120 s of rest)": (".ei-search", "input", "00099"),
    }
    for what, step in steps.items():
        milliseconds, count = page.evaluate(TIMED, list(step))
        told.add(what, milliseconds / 1000, n=f"{len(inspection):,} clips", note=count.removesuffix("Clear"))
    page.close()
    begin = time.perf_counter()
    page = browser.new_page()
    page.goto((folder / "page.html").as_uri())
    page.wait_for_selector(".ei-item")
    told.add("page without a kernel, opened", time.perf_counter() - begin)
    page.close()


def main() -> None:
    parser = report.parser(__doc__, "bench_inspector.py --clips 10000 --models 15")
    parser.add_argument("--clips", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--models", type=int, default=5, help="default: 5")
    parser.add_argument("--page", type=int, default=2000, help="clips of the page without a kernel; default: 2000")
    parser.add_argument("--table-rows", type=int, default=20_000, help="of the plain table; default: 20000")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparisons; default: 3")
    args = report.parse(parser, clips=2000, page=50, table_rows=200, rounds=1)
    told = report.Report("inspector", args)
    clips, answers = draw(args.clips, args.models)
    with tempfile.TemporaryDirectory() as name, chromium(told) as browser:
        folder = Path(name)
        inspection = in_python(told, clips, answers, folder, args.page)
        if browser:
            painted(told, browser, inspection, folder, min(args.table_rows, args.clips), args.rounds)
            clicked(told, browser, inspection, folder)


if __name__ == "__main__":
    main()
