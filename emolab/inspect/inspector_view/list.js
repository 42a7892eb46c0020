// The clips as a list: only rows in sight are in the document, pictures are asked for when they come to rest there.

import { FAILED, MATCHED, MISSED, SIGN_NAMES, SIGNS, SPURIOUS } from "./columns.js";
import { make, onPaint } from "./dom.js";
import { thumbStore } from "./thumbs.js";

const ROW = 62; // pixels, as in inspector.css
const SPARE = 4; // rows kept above and below

// ✓2 −1 +1 of one model
function listCounts(app, clip, model, parent, large) {
  const { index } = app;
  const entry = make("span", large ? "ei-tally ei-large" : "ei-tally", undefined, parent);
  const { name } = index.models[model];
  const state = index.status(clip, model);
  if (state === FAILED) {
    make("span", "ei-failed", "⚠", entry);
    entry.title = `${name}: error`;
    return;
  }
  const counts = [0, 0, 0, 0];
  for (const chip of index.chips(clip, model + 1)) counts[chip & 3]++;
  const said = [];
  for (const sign of index.hasTruth(clip) ? [MATCHED, MISSED, SPURIOUS] : [0]) {
    if (!counts[sign]) continue;
    make("span", `ei-sign-${SIGN_NAMES[sign]}`, `${SIGNS[sign]}${counts[sign]}`, entry);
    said.push(`${counts[sign]} ${SIGN_NAMES[sign]}`);
  }
  if (!said.length) make("span", "ei-faint", "–", entry);
  entry.title = `${name}: ${state === 0 ? "not asked" : said.join(", ") || "said nothing"}`;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// `nothing(element)`: fills the place where no clip is shown
export function clipList(app, element, nothing) {
  const name = `ei-${Math.random().toString(36).slice(2)}`;
  const box = make("div", "ei-list", undefined, element);
  box.tabIndex = 0;
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "Clips");
  const space = make("div", "ei-space", undefined, box);
  space.setAttribute("role", "presentation");
  const empty = make("div", "ei-empty", undefined, element);
  const rows = new Map(); // position -> its element
  const thumbs = thumbStore(app, (positions) => {
    box.classList.toggle("ei-without", !positions.some((clip) => thumbs.get(clip)) && !space.querySelector("img"));
    for (const clip of positions) if (rows.has(clip)) showThumb(rows.get(clip), clip);
  });

  function showThumb(row, clip) {
    const place = row.firstChild;
    const url = thumbs.get(clip);
    place.replaceChildren();
    if (url) {
      const image = make("img", "", undefined, place);
      image.alt = "";
      image.src = url;
    }
    const seconds = app.index.durations[clip];
    if (seconds >= 0) make("span", "ei-length", clock(seconds), place);
  }

  function fillRow(row, clip, at, count) {
    const { index, filter } = app;
    row.replaceChildren();
    row.id = `${name}-${clip}`;
    row.setAttribute("aria-setsize", count);
    row.setAttribute("aria-posinset", at + 1);
    row.setAttribute("aria-selected", clip === app.position);
    row.dataset.clip = clip;
    row.style.transform = `translateY(${at * ROW}px)`;
    make("div", "ei-thumb", undefined, row);
    const body = make("div", "ei-lines", undefined, row);
    const first = make("div", "ei-line", undefined, body);
    const id = make("span", "ei-id", undefined, first);
    make("bdi", "", index.id(clip), id);
    id.title = index.id(clip);
    const f = index.meanF(clip, filter.focus);
    if (f === f) {
      const of = filter.focus === null ? "mean over the models" : index.models[filter.focus].name;
      make("span", "ei-f", `F ${Math.round(100 * f)}`, first).title = `F of this clip in %, ${of}`;
    }
    listMarks(first, clip);
    const truth = make("div", "ei-line ei-item-truth", undefined, body);
    const words = index.words(clip, 0);
    const said = words.slice(0, 12).map((word) => word.slice(0, 60)).join(", ");
    truth.textContent = index.hasTruth(clip) ? said || "(no label)" : "no true labels";
    truth.title = truth.textContent;
    const last = make("div", "ei-line ei-tallies", undefined, body);
    if (filter.focus !== null) listCounts(app, clip, filter.focus, last, true);
    else for (let model = 0; model < Math.min(index.m, 12); model++) listCounts(app, clip, model, last);
    showThumb(row, clip);
  }

  function listMarks(parent, clip) {
    const { index, filter } = app;
    const annotation = index.annotation(clip);
    if (annotation && (annotation.labels || annotation.note)) {
      make("span", "ei-flag", "✎", parent).title = index.changed(clip) ? "annotated, labels changed" : "annotated";
    }
    let failed = 0;
    for (let model = 0; model < index.m; model++) failed += index.status(clip, model) === FAILED;
    if (failed) make("span", "ei-flag ei-failed", "⚠", parent).title = `errors: ${failed}`;
    const on = filter.marked.has(clip);
    const mark = make("span", on ? "ei-flag ei-mark ei-on" : "ei-flag ei-mark", on ? "☑" : "☐", parent);
    mark.title = "mark (key x)";
  }

  function draw() {
    const { order } = app.filter.result;
    const from = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
    const to = Math.min(order.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + SPARE);
    const seen = order.subarray(from, to);
    const keep = new Set(seen);
    const spare = [];
    for (const [clip, row] of rows) {
      if (keep.has(clip)) continue;
      rows.delete(clip);
      spare.push(row);
    }
    seen.forEach((clip, each) => {
      if (rows.has(clip)) return;
      let row = spare.pop();
      if (!row) {
        row = make("div", "ei-item", undefined, space);
        row.setAttribute("role", "option");
      }
      rows.set(clip, row);
      fillRow(row, clip, from + each, order.length);
    });
    for (const row of spare) row.remove();
    let next = space.firstChild; // in the document as on the screen
    for (const clip of seen) {
      const row = rows.get(clip);
      if (row === next) next = next.nextSibling;
      else space.insertBefore(row, next);
    }
    point();
    thumbs.want([...seen]);
  }

  // Which row the keyboard is at
  function point() {
    for (const [clip, row] of rows) row.setAttribute("aria-selected", clip === app.position);
    if (rows.has(app.position)) box.setAttribute("aria-activedescendant", `${name}-${app.position}`);
    else box.removeAttribute("aria-activedescendant");
  }

  // Everything in sight anew: another filter, order, focus, annotation or mark
  function refresh() {
    const { order } = app.filter.result;
    for (const row of rows.values()) row.remove();
    rows.clear();
    space.style.height = `${order.length * ROW}px`;
    box.hidden = !order.length;
    empty.hidden = Boolean(order.length);
    if (!order.length) nothing(empty);
    draw();
  }

  // Scrolls as little as needed, or to have it in the middle; where it is not shown that is the top
  function show(clip, middle = false) {
    const at = app.filter.result.place[clip] ?? -1;
    if (at < 0 && middle) box.scrollTop = 0;
    if (at >= 0) {
      const top = at * ROW;
      if (middle) box.scrollTop = top - (box.clientHeight - ROW) / 2;
      else if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    }
    draw();
  }

  const paint = onPaint(() => app.index && draw());
  let height = 0; // of the box, as it was
  const size = new ResizeObserver(() => {
    const top = app.index ? app.filter.result.place[app.position] * ROW - box.scrollTop : NaN;
    const seen = top >= 0 && top < height;
    height = box.clientHeight;
    if (seen) show(app.position); // what was in sight stays in sight
    else paint();
  });
  size.observe(box);
  box.addEventListener("scroll", paint, { passive: true });
  box.addEventListener("click", (event) => {
    const row = event.target.closest(".ei-item");
    if (!row) return;
    const clip = Number(row.dataset.clip);
    if (event.target.closest(".ei-mark")) app.mark(clip);
    else app.select(clip);
  });
  return {
    refresh,
    show,
    page: () => Math.max(1, Math.floor(box.clientHeight / ROW) - 1), // rows of one leaf
    end() {
      paint.stop();
      size.disconnect();
      thumbs.end();
    },
  };
}
