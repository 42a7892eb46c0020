// The view of Inspector (inspector.py), put together of its parts: list, clip, models. Keys, states and messages.
// Looking and filtering happen here; the kernel is asked for media, answers in full and what is saved.

import { annotatePane } from "./annotate.js";
import { clipPane } from "./clip.js";
import { Columns, typed } from "./columns.js";
import { confusionView } from "./confusion.js";
import { button, later, make, many, onPaint } from "./dom.js";
import { facetPanel } from "./facets.js";
import { Filter } from "./filter.js";
import { makeFrame } from "./frame.js";
import { helpSheet, isField, listenKeys } from "./keys.js";
import { connect } from "./link.js";
import { clipList } from "./list.js";
import { livePanel } from "./live.js";
import { modelsPane } from "./models.js";

const GONE = "The kernel does not answer (busy, or gone). Looking and filtering go on; nothing can be saved.";

export function render({ model, el }) {
  const ui = makeFrame(el);
  const listeners = new Map(); // event -> functions
  let standing = 0; // where in the list the open clip stands, or stood

  const emit = (event, ...values) => {
    for (const listener of listeners.get(event) ?? []) listener(...values);
  };
  const app = {
    index: null,
    position: undefined,
    focus: null, // the model that signs and scores are of; null: any
    filter: null,
    alive: true,
    fixed: false,
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    ask,
    say,
    select: open,
    mark,
    clear: () => change(() => app.filter.clear()),
    toggle: (facet, option) => change(() => app.filter.toggle(facet, option)),
    search: (words) => change(() => app.filter.search(words)),
    filterBy: (token) => change(() => app.filter.add(token)),
    removeToken: (token) => change(() => app.filter.remove(token)),
    setFocus,
    setSort,
    showConfusion,
  };

  // --- to and from Python
  const link = connect(model, heard, alive);

  async function ask(message, buffers) {
    const answer = await link.ask(message, buffers);
    if (answer.message.kind === "annotated") annotated(answer.message);
    if (answer.message.kind === "clip") caughtUp(answer.message);
    return answer;
  }

  function heard(message, buffers) {
    if (message.kind === "index") arrive(message, buffers);
    else if (message.kind === "annotated") annotated(message);
    else if (message.kind === "durations") lengths(message, buffers);
    else if (message.kind === "marked") marked(message.positions);
    emit("message", message, buffers);
  }

  function alive(yes) {
    app.alive = yes;
    ui.banner.hidden = yes;
    ui.banner.textContent = yes ? "" : `${GONE} (since ${new Date().toLocaleTimeString()})`;
    ui.root.classList.toggle("ei-gone", !yes);
    if (yes && app.index) tellState();
    emit("alive");
  }

  const tellState = later(300, () => {
    if (app.fixed || !app.alive) return;
    const shown = app.filter.result.order.slice().buffer;
    link.tell({ kind: "state", open: app.position }, [shown]);
  });

  async function start() {
    try {
      const { message, buffers } = await ask({ kind: "open" });
      arrive(message, buffers);
    } catch (error) {
      ui.loading.textContent = error.message;
    }
  }

  function arrive(message, buffers) {
    const before = app.index;
    app.fixed = Boolean(message.fixed);
    app.index = new Columns(message, buffers);
    app.filter = new Filter(app.index, app.filter, message.sort);
    if (message.marked) app.filter.markAll(message.marked);
    app.focus = app.filter.focus;
    if (before) app.index.durations.set(before.durations.subarray(0, app.index.n));
    ui.loading.hidden = true;
    ui.body.hidden = false;
    ui.body.classList.toggle("ei-still", app.fixed);
    fillHead();
    facets.build();
    confusion.build();
    const next = message.keep ?? app.position ?? app.filter.result.order[0];
    const other = next !== app.position || !before;
    app.position = next < app.index.n ? next : undefined;
    emit("index");
    if (other) emit("clip");
    refresh();
    list.show(app.position, true);
    setTimeout(askTexts); // after the first paint
  }

  async function askTexts() {
    const { index } = app;
    try {
      const { buffers } = await ask({ kind: "texts" });
      index.setTexts(buffers[0]);
      if (app.index === index && app.filter.words) change(() => app.filter.search(app.filter.words));
    } catch (error) {
      say(error.message, true);
    }
  }

  // What another kernel has written meanwhile comes with the clip
  function caughtUp({ position, annotation: row, history }) {
    if (app.index.annotation(position)?.id !== row?.id) annotated({ position, row, history });
  }

  function annotated(message) {
    if (message.position === undefined || message.position === null) return;
    if (message.row) app.index.annotations.set(message.position, message.row);
    else app.index.annotations.delete(message.position);
    app.filter.refresh("review");
    paint();
    emit("annotations", message);
  }

  function lengths(message, buffers) {
    if (!buffers[0]) return;
    const found = typed(buffers[0], Float32Array);
    app.index.durations.set(found.subarray(0, app.index.n));
    app.filter.refreshDurations();
    if (message.read < message.of) say(`Reading how long the clips are: ${message.read} of ${message.of}.`);
    else say("");
    paint();
  }

  // --- what is seen
  const facets = facetPanel(app, ui.left);
  const list = clipList(app, ui.left, facets.nothing);
  const confusion = confusionView(app, ui.sheet);
  const panes = {};

  function say(text, problem = false) {
    ui.status.textContent = text;
    ui.status.classList.toggle("ei-problem", problem);
  }

  function fillHead() {
    const { index } = app;
    ui.title.textContent = index.title || "Predictions";
    ui.title.title = index.title;
    const facts = [many(index.n, "clip"), many(index.m, "model")];
    if (index.against === "annotations") facts.push("compared with the annotations");
    if (index.note) facts.push(index.note);
    ui.facts.textContent = facts.join(" · ");
  }

  function refresh() {
    paint.stop();
    const { place } = app.filter.result;
    if (place[app.position] >= 0) standing = place[app.position];
    list.refresh();
    facets.refresh();
    tally();
    tellState();
  }
  const paint = onPaint(refresh);
  const tally = later(0, () => {
    facets.count(); // over all clips: after the list has changed
    confusion.refresh();
  });

  function change(act) {
    if (!app.index) return;
    act();
    standing = 0;
    const held = ui.root.contains(document.activeElement);
    refresh();
    list.show(app.position, true);
    const active = document.activeElement;
    const lost = !ui.root.contains(active) || active.disabled || !active.checkVisibility();
    if (held && lost) focusRoot(); // else keys would go elsewhere
  }

  function focusRoot() {
    ui.root.focus({ preventScroll: true });
  }

  function open(position, middle = false) {
    if (!(position >= 0 && position < app.index.n)) return;
    const other = position !== app.position;
    app.position = position;
    standing = Math.max(0, app.filter.result.place[position]);
    list.show(position, middle);
    if (other) emit("clip");
    const { place, order } = app.filter.result;
    ui.spoken.textContent = `clip ${place[position] + 1 || "–"} of ${order.length}, ${app.index.id(position)}`;
    tellState();
  }

  // The clip so many places on in the list; one that has left the list stands where it stood
  function move(steps) {
    const { order, place } = app.filter.result;
    if (!order.length) return;
    const inside = place[app.position] >= 0;
    const at = inside ? place[app.position] + steps : standing + (steps > 0 ? steps - 1 : steps);
    open(order[Math.max(0, Math.min(order.length - 1, at))]);
  }

  // The kernel keeps the marks for all views
  function mark(position) {
    if (position === undefined) return;
    app.filter.mark(position);
    refresh();
    const on = app.filter.marked.has(position);
    if (!app.fixed) link.tell({ kind: "mark", position, on });
    say(`${on ? "Marked" : "Not marked any more"}: ${app.index.id(position)}. ${many(app.filter.marked.size, "clip")} marked.`);
  }

  function marked(positions) {
    app.filter.markAll(positions);
    refresh();
  }

  function setFocus(focus) {
    app.focus = focus;
    change(() => app.filter.setFocus(focus));
    confusion.build();
    emit("focus");
  }

  async function setSort(name) {
    change(() => app.filter.setSort(name));
    const { order } = app.filter.result;
    if (order.length) open(order[0]); // whoever wants the worst first wants to see it
    if (name !== "longest") return;
    say("Reading how long the clips are …");
    try {
      const { message, buffers } = await ask({ kind: "durations" });
      lengths(message, buffers);
    } catch (error) {
      say(error.message, true);
    }
  }

  function showConfusion(yes) {
    ui.sheet.hidden = !yes;
    sheetButton.setAttribute("aria-pressed", yes);
    confusion.refresh();
    if (yes) confusion.focus();
    else focusRoot();
  }

  // --- keys
  const help = helpSheet(ui.root);
  const [before, next] = [() => move(-1), () => move(1)];
  const acts = {
    ArrowUp: before, k: before, ArrowDown: next, j: next,
    PageUp: () => move(-list.page()), PageDown: () => move(list.page()),
    Home: () => move(-app.index.n), End: () => move(app.index.n),
    " ": () => panes.clip.toggle(), ArrowLeft: () => panes.clip.step(-1), ArrowRight: () => panes.clip.step(1),
    n: () => panes.annotate.note(), u: () => panes.annotate.undo(), x: () => mark(app.position),
    c: app.clear, "/": facets.focusSearch, "?": () => help.show(true),
  };
  for (let number = 1; number <= 9; number++) acts[number] = () => panes.annotate.toggleLabel(number);
  for (const [key, act] of Object.entries(acts)) acts[key] = () => app.index && !help.open && act();

  function leave(event) {
    event.preventDefault();
    const elsewhere = isField(event.target) && !ui.sheet.contains(event.target);
    if (help.open) help.show(false);
    else if (elsewhere || ui.sheet.hidden) focusRoot();
    else showConfusion(false);
  }

  const sheetButton = button(ui.tools, "Confusion", () => showConfusion(ui.sheet.hidden));
  sheetButton.setAttribute("aria-pressed", false);
  button(ui.tools, "?", () => help.show(true), "?").setAttribute("aria-label", "Help");
  panes.clip = clipPane(app, make("div", "", undefined, ui.centre));
  panes.models = modelsPane(app, make("div", "", undefined, ui.right));
  panes.annotate = annotatePane(app, make("div", "", undefined, ui.right));
  panes.live = livePanel(app, make("div", "", undefined, ui.centre));
  listenKeys(ui.root, acts, leave);
  start();
  return () => {
    link.close();
    tellState.stop();
    paint.stop();
    tally.stop();
    facets.end();
    list.end();
    emit("end");
    listeners.clear();
  };
}

export default { render };
