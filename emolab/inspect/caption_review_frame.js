// What a caption review is made of: its places, its controls, and a text with its own words underlined.

import { button, make } from "./inspector_view/dom.js";

// A button that shows its key
export function keyButton(parent, label, key, act) {
  const element = button(parent, label, act, key);
  if (key) {
    element.title = `${label} (key ${key})`;
    make("kbd", "", key, element).setAttribute("aria-hidden", "true");
  }
  return element;
}

export function choice(parent, label, options, act) {
  const frame = make("label", "", `${label} `, parent);
  const element = make("select", "", undefined, frame);
  for (const name of options) make("option", "", name, element).value = name;
  element.addEventListener("change", act);
  return element;
}

// The words of a text with those that `other` does not have underlined
export function underline(element, text, other) {
  element.replaceChildren();
  if (!window.Intl?.Segmenter) return element.append(text);
  const words = (each) => [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(each)];
  const known = new Set(words(other).map((word) => word.segment.toLowerCase()));
  for (const word of words(text)) {
    const own = word.isWordLike && !known.has(word.segment.toLowerCase());
    if (own) make("span", "er-own", word.segment, element);
    else element.append(word.segment);
  }
}

export function reviewFrame(el) {
  const root = make("section", "emolab-review", undefined, el);
  root.tabIndex = 0;
  root.setAttribute("aria-label", "Caption review");
  root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab runs its own commands on the same keys
  const ui = { root };
  const head = make("header", "", undefined, root);
  ui.title = make("h3", "", "Caption review", head);
  ui.reviewed = make("span", "er-reviewed", "", head);
  ui.bar = make("progress", "", undefined, head);
  ui.bar.setAttribute("aria-label", "reviewed");
  ui.tools = make("div", "er-tools", undefined, root);

  const body = make("div", "er-body", undefined, root);
  const left = make("div", "", undefined, body);
  const frame = make("figure", "", undefined, left);
  ui.image = make("img", "", undefined, frame);
  ui.noImage = make("p", "er-faint", "", frame);
  ui.name = make("figcaption", "", "", frame);
  ui.buttons = make("div", "er-verdicts", undefined, left);
  const note = make("label", "er-note", "Note ", left);
  make("kbd", "", "m", note).setAttribute("aria-hidden", "true");
  ui.note = make("input", "", undefined, note);
  ui.note.maxLength = 1000;
  ui.said = make("p", "er-said", "", left);

  ui.right = make("div", "er-right", undefined, body);
  const decision = make("div", "er-decision", undefined, ui.right);
  ui.kept = make("span", "er-pill", "", decision);
  ui.reason = make("span", "er-reason", "", decision);
  ui.track = make("div", "er-track", undefined, ui.right);
  ui.fill = make("i", "er-fill", undefined, ui.track);
  ui.expected = make("i", "er-expected", undefined, ui.track);
  ui.limit = make("i", "er-limit", undefined, ui.track);
  ui.score = make("p", "er-score", "", ui.right);
  for (const which of ["first", "second"]) {
    const card = make("article", "er-card", undefined, ui.right);
    const top = make("h4", "", `${which === "first" ? "First" : "Second"} captioner`, card);
    ui[which] = { card, chosen: make("span", "er-chosen", "● chosen for training", top), text: make("p", "", "", card) };
    ui[which].text.tabIndex = 0; // a long caption scrolls
    ui[which].text.setAttribute("aria-label", `Caption of the ${which} captioner`);
  }
  ui.answer = make("p", "er-faint", "", ui.right);
  const foot = make("footer", "", undefined, root);
  ui.keys = make("span", "er-keys", undefined, foot);
  for (const [keys, what] of [["k", "keep"], ["d", "drop"], ["f", "flag"], ["u", "withdraw"], ["j ←", "previous"],
    ["l →", "next"], ["n", "next undecided"], ["m", "note, Esc leaves it"]]) {
    const entry = make("span", "", undefined, ui.keys);
    for (const key of keys.split(" ")) make("kbd", "", key, entry);
    entry.append(` ${what}`);
  }
  make("span", "er-legend", "words underlined: only in this caption", foot);
  ui.status = make("div", "er-status", "", root);
  ui.status.setAttribute("role", "status");
  return ui;
}
