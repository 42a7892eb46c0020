// Labels and a note of one's own for the open clip; every change is saved at once, one after the other.

import { make, button } from "./dom.js";
import { askDetail, corpusLabels, followClip } from "./detail.js";
import { exportFold } from "./exports.js";
import { keepKeys } from "./focus.js";
import { historyFold } from "./history.js";

const AUTHOR_KEY = "emolab-inspector-author";
const AUTHOR_LENGTH = 100;
const NOTE_LENGTH = 4000;
const LABEL_LENGTH = 200;
const SUGGESTED = 500; // labels that the field offers
const SEPARATOR = /[,;、，；\n]/; // several labels may be typed at once
const DIGITS = 9; // labels that have a key

function rememberedAuthor() {
  try {
    return localStorage.getItem(AUTHOR_KEY) ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

function rememberAuthor(name) {
  try {
    localStorage.setItem(AUTHOR_KEY, name);
  } catch {
    // it is asked again in the next session
  }
}

export function annotatePane(app, element) {
  element.classList.add("ei-annotate");
  const head = make("div", "ei-pane-head", undefined, element);
  make("h4", "", "Your labels", head);
  const state = make("span", "ei-faint ei-saved", "", head);
  const barred = make("p", "ei-faint ei-barred", "", element);
  const fields = make("fieldset", "", undefined, element);
  const chips = make("div", "ei-chips", undefined, fields);
  chips.setAttribute("role", "group");
  chips.setAttribute("aria-label", "Labels of this clip");

  const adding = make("div", "ei-row", undefined, fields);
  const label = make("input", "ei-wide", undefined, adding);
  label.placeholder = "another label";
  label.maxLength = LABEL_LENGTH;
  label.setAttribute("aria-label", "Another label");
  const suggested = make("datalist", "", undefined, adding);
  suggested.id = `ei-labels-${Math.random().toString(36).slice(2)}`;
  label.setAttribute("list", suggested.id);
  button(adding, "Add", add);

  const noted = make("textarea", "ei-wide ei-note", undefined, make("div", "ei-row", undefined, fields));
  noted.placeholder = "note (n); Enter saves it";
  noted.rows = 1;
  noted.maxLength = NOTE_LENGTH;
  noted.setAttribute("aria-label", "Note");

  const acts = make("div", "ei-row", undefined, fields);
  button(acts, "Undo", undo, "u");
  const back = button(acts, "Back to the corpus labels", restore);
  const authorLabel = make("label", "ei-author ei-faint", "as ", acts);
  authorLabel.title = "who writes these labels and notes";
  const author = make("input", "", undefined, authorLabel);
  author.maxLength = AUTHOR_LENGTH;
  author.setAttribute("aria-label", "Author");
  author.value = rememberedAuthor();

  const folds = make("div", "ei-folds", undefined, element);
  const fillHistory = historyFold(folds);
  exportFold(app, folds);

  const queue = []; // changes that are not saved yet: {position, message(), pending: the label it is about}
  let authorTyped = false;
  let labelOf; // position of the clip that the half-typed label is for
  let detail = null;
  let candidates = [];
  let notedOf; // the clip that the text in the note's field belongs to
  let notedText = ""; // its note as it is saved, or on its way

  const none = { labels: null, note: "" };
  const rowOf = (position) => app.index.annotation(position) ?? none;
  const isOpen = () => app.index && app.position !== undefined;

  function barredBecause() {
    if (app.fixed) return "Labels are given in the notebook; this page only shows them.";
    if (!app.alive) return "The kernel does not answer: nothing can be saved now.";
    if (app.index && !app.index.writable) return "This inspector was opened without a file for annotations.";
    return "";
  }

  function refused() {
    const why = barredBecause();
    if (why) app.say(why, true);
    return Boolean(why) || !isOpen();
  }

  // --- changes: `of({row, truth})` makes labels and note from what is known when its turn comes
  function change(of, pending, position = app.position) {
    if (refused()) return;
    const truth = position === app.position ? corpusLabels(app, detail) : [];
    const seen = () => app.index.annotation(position)?.id ?? null; // another one may have changed it since
    const message = () => ({ kind: "annotate", position, seen: seen(), ...of({ row: rowOf(position), truth }) });
    enqueue({ position, message, pending });
  }

  function undo() {
    if (!refused()) enqueue({ position: app.position, message: () => ({ kind: "undo" }) });
  }

  function enqueue(item) {
    queue.push(item);
    show();
    if (queue.length === 1) work();
  }

  async function work() {
    while (queue.length) {
      const [{ position, message }] = queue;
      try {
        const { message: answer } = await app.ask({ ...message(), author: author.value.trim() || app.index.author });
        queue.shift();
        took(answer, position);
      } catch (error) {
        queue.shift();
        app.say(error.message, true);
        if (position === app.position) show(`not saved: ${error.message}`);
        notedText = rowOf(notedOf).note;
      }
    }
  }

  function took(answer, position) {
    app.say(answer.text);
    const undone = answer.position ?? position; // null: of a clip that is not here
    if (position !== app.position) return;
    if (undone !== position) app.select(undone);
    else show("saved");
  }

  function toggle(word) {
    const flip = (labels) => (labels.includes(word) ? labels.filter((each) => each !== word) : [...labels, word]);
    change(({ row, truth }) => ({ labels: flip(row.labels ?? truth), note: row.note }), word);
  }

  function add() {
    const words = label.value.toLowerCase().split(SEPARATOR).map((word) => word.trim()).filter(Boolean);
    if (!words.length || refused()) return;
    label.value = "";
    const put = (labels) => [...new Set([...labels, ...words])];
    change(({ row, truth }) => ({ labels: put(row.labels ?? truth), note: row.note }), words[0]);
  }

  function restore() {
    const same = isOpen() && !rowOf(app.position).labels && !queue.length;
    if (same) return app.say("These are the corpus labels already.");
    change(({ row }) => ({ labels: null, note: row.note }));
  }

  function saveNote() {
    const text = noted.value.trim();
    if (notedOf === undefined || text === notedText || refused()) return;
    notedText = text;
    change(({ row }) => ({ labels: row.labels, note: text }), undefined, notedOf);
  }

  // --- what is seen
  function candidatesNow() {
    const { index, position } = app;
    const said = index.models.flatMap((_, k) => index.words(position, k + 1));
    const earlier = (detail?.history ?? []).flatMap(({ labels }) => labels ?? []);
    const own = rowOf(position).labels ?? [];
    return [...new Set([...corpusLabels(app, detail), ...said, ...own, ...earlier])];
  }

  function show(text = "") {
    if (!isOpen()) return;
    const found = candidatesNow();
    const other = found.length !== candidates.length || found.some((word, each) => word !== candidates[each]);
    if (other || !chips.hasChildNodes()) keepKeys(() => fillChips(found));
    const row = rowOf(app.position);
    const labels = row.labels ?? corpusLabels(app, detail);
    const waiting = queue.filter(({ position }) => position === app.position);
    candidates.forEach((word, each) => {
      const busy = waiting.some(({ pending }) => pending === word);
      chips.children[each].setAttribute("aria-pressed", labels.includes(word));
      chips.children[each].setAttribute("aria-busy", busy);
    });
    back.setAttribute("aria-disabled", !row.labels);
    state.textContent = waiting.length ? "saving …" : text || (row.labels ? "✎ changed from the corpus" : "");
    if (app.position !== notedOf || !noted.matches(":focus")) noted.value = notedText = row.note;
    notedOf = app.position;
    fillHistory(detail?.history ?? [], corpusLabels(app, detail));
  }

  function fillChips(found) {
    const focused = candidates[[...chips.children].indexOf(document.activeElement)];
    candidates = found;
    chips.replaceChildren();
    found.forEach((word, each) => {
      const chip = make("button", "ei-chip ei-toggle", undefined, chips);
      chip.type = "button";
      chip.title = word;
      if (each < DIGITS) {
        make("kbd", "", each + 1, chip).setAttribute("aria-hidden", "true");
        chip.setAttribute("aria-keyshortcuts", each + 1);
      }
      make("span", "ei-sign", "", chip); // ✓ where it is pressed
      make("bdi", "", word, chip);
      chip.addEventListener("click", () => toggle(word));
      if (word === focused) chip.focus();
    });
    if (!found.length) make("span", "ei-faint", "No label yet: type one.", chips);
  }

  function bar() {
    const why = barredBecause();
    barred.textContent = why;
    barred.hidden = !why;
    keepKeys(() => {
      fields.disabled = Boolean(why) || !isOpen();
      for (const each of [head, fields, folds]) each.hidden = app.fixed;
    });
  }

  function fillSuggested() {
    const text = label.value.trim().toLowerCase();
    const fitting = (app.index?.labels ?? []).filter((each) => each.length <= LABEL_LENGTH && each.includes(text));
    suggested.replaceChildren(...fitting.slice(0, SUGGESTED).map((each) => new Option(each)));
  }

  function blank(position) {
    detail = null;
    if (notedOf !== position && noted.matches(":focus")) saveNote();
    bar();
    fillSuggested();
    if (app.index && (!author.value || (app.index.named && !authorTyped))) author.value = app.index.author;
    if (labelOf !== position) label.value = ""; // a new index is no other clip
    labelOf = position;
    if (position !== undefined && app.index) show();
  }

  async function load(position, still) {
    try {
      const found = await askDetail(app, position);
      if (!still()) return;
      detail = found;
      show(state.textContent === "saved" ? "saved" : "");
    } catch {
      // the pane in the middle says it
    }
  }

  // this view, another one or another person has changed a clip
  function refresh(changed) {
    if (!isOpen()) return;
    if (detail && changed.position === app.position) detail = { ...detail, history: changed.history };
    show(state.textContent === "saved" ? "saved" : "");
  }

  label.addEventListener("focus", fillSuggested);
  label.addEventListener("input", fillSuggested);
  label.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return; // Enter that confirms a sign of an input method
    event.preventDefault();
    add();
  });
  noted.addEventListener("change", saveNote);
  noted.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    saveNote();
  });
  author.addEventListener("change", () => {
    authorTyped = true;
    rememberAuthor(author.value.trim());
  });
  app.on("alive", bar);
  app.on("annotations", refresh);
  followClip(app, { blank, load, again: true });
  blank();

  return {
    undo,
    toggleLabel(number) {
      if (candidates[number - 1] !== undefined) toggle(candidates[number - 1]);
      else app.say(`There is no label ${number} here.`);
    },
    note() {
      if (!refused()) noted.focus();
    },
  };
}
