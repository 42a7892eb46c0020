// The right: the truth of the open clip, and what each model said of it, missed and invented.

import { make } from "./dom.js";
import { ANSWERED, FAILED, NOT_ASKED, SAID, SIGNS, SIGN_NAMES } from "./columns.js";
import { askDetail, corpusLabels, followClip } from "./detail.js";

const MODEL_FOLDS = {
  text: "Raw answer",
  prompt: "Prompt",
  probabilities: "Probabilities",
  votes: "Votes",
  facts: "Facts",
};
const MODEL_BARS = 60; // probabilities that are drawn, the highest first

const modelPercent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)}` : "–");

// A label with its sign, not yet a button
function makeChip(tag, sign, name, label, parent) {
  const chip = make(tag, `ei-chip ei-${name}`, undefined, parent);
  make("span", "ei-sign", sign, chip).setAttribute("aria-hidden", "true");
  make("bdi", "", label, chip);
  chip.title = `${label} · ${name}`;
  return chip;
}

function chipButton(app, code, parent, slot) {
  const { labels, groups, groupOf, sectors, sectorOf } = app.index;
  const [label, sign] = [code >>> 2, code & 3];
  const chip = makeChip("button", SIGNS[sign], SIGN_NAMES[sign], labels[label], parent);
  chip.type = "button";
  const family = groups[groupOf[label]];
  if (family) chip.title += ` · family: ${family} (Shift and click)`;
  if (sectors[sectorOf[label]]) chip.title += ` · sector: ${sectors[sectorOf[label]]}`;
  chip.setAttribute("aria-label", `${SIGN_NAMES[sign]}: ${labels[label]}; show such clips`);
  chip.addEventListener("click", (event) => {
    const wide = event.shiftKey && family;
    const wanted = sign === SAID ? null : sign;
    app.filterBy({ kind: wide ? "group" : "label", code: wide ? groupOf[label] : label, slot, sign: wanted });
  });
  return chip;
}

// What an annotation keeps of the truth, adds to it and removes
function fillDiff(element, truth, labels) {
  const old = new Set(truth);
  const now = new Set(labels);
  for (const label of labels) {
    if (old.has(label)) makeChip("span", "✓", "kept", label, element);
    else makeChip("span", "+", "added", label, element);
  }
  for (const label of truth) if (!now.has(label)) makeChip("span", "−", "removed", label, element);
  if (!labels.length && !truth.length) make("span", "ei-faint", "no label, as before", element);
}

const FOLD_FILLERS = {
  text: (text, element) => make("pre", "ei-text", text, element).setAttribute("dir", "auto"),
  prompt: (text, element) => make("pre", "ei-text", text, element).setAttribute("dir", "auto"),
  probabilities(found, element) {
    const entries = Object.entries(found).sort((one, other) => other[1] - one[1]);
    for (const [label, share] of entries.slice(0, MODEL_BARS)) {
      const row = make("div", "ei-bar", undefined, element);
      row.title = label;
      make("bdi", "", label, row);
      const track = make("span", "ei-track", undefined, row);
      make("i", "", undefined, track).style.width = `${100 * Math.min(1, Math.max(0, share || 0))}%`;
      make("span", "ei-number", Number.isFinite(share) ? share.toFixed(3) : "–", row);
    }
    const more = entries.length - MODEL_BARS;
    if (more > 0) make("p", "ei-faint", `and ${more} smaller ones`, element);
  },
  votes: (found, element) => fillPairs(element, Object.entries(found), (names) => names.join(", ")),
  facts: (found, element) => fillPairs(element, Object.entries(found), String),
};

function fillPairs(element, entries, shown) {
  for (const [key, value] of entries) {
    const row = make("div", "ei-pair", undefined, element);
    make("bdi", "ei-faint", key, row).title = key;
    make("bdi", "", shown(value), row);
  }
}

const isEmpty = (value) => !value || (typeof value === "object" && !Object.keys(value).length);

function modelCard(name, open, parent) {
  const root = make("section", "ei-model", undefined, parent);
  root.setAttribute("aria-label", `Model ${name}`);
  const head = make("div", "ei-model-head", undefined, root);
  const heading = make("h4", "", undefined, head);
  make("bdi", "", name, heading);
  heading.title = name;
  const card = { root, scores: make("span", "ei-scores", "", head), chips: make("div", "ei-chips", undefined, root) };
  card.problem = make("p", "ei-problem", "", root);
  card.folds = {};
  const folds = make("div", "ei-folds", undefined, root);
  for (const [key, title] of Object.entries(MODEL_FOLDS)) {
    const fold = make("details", "ei-fold", undefined, folds);
    make("summary", "", title, fold);
    const body = make("div", "ei-fold-body", undefined, fold);
    body.tabIndex = 0; // what is long scrolls, by key too
    body.setAttribute("role", "group");
    body.setAttribute("aria-label", `${title} of ${name}`);
    fold.open = open.has(`${key} ${name}`);
    fold.addEventListener("toggle", () => open[fold.open ? "add" : "delete"](`${key} ${name}`));
    card.folds[key] = { fold, body };
  }
  return card;
}

export function modelsPane(app, element) {
  element.classList.add("ei-models");
  const truth = make("section", "ei-truth", undefined, element);
  const head = make("div", "ei-model-head", undefined, truth);
  const heading = make("h4", "", "", head);
  const truthChips = make("div", "ei-chips", undefined, truth);
  const diff = make("div", "ei-diff", undefined, truth);
  const cardsElement = make("div", "ei-cards", undefined, element);
  const open = new Set(); // which folds of which models are open: from clip to clip, and in the next index
  let cards = [];
  let cardsOf = null; // the index that they were made for
  let detail = null;

  function makeCards() {
    cardsElement.replaceChildren();
    cards = (app.index?.models ?? []).map(({ name }) => modelCard(name, open, cardsElement));
    cardsOf = app.index;
  }

  function fillScores(card, k, scores) {
    const { position, index } = app;
    const f = scores?.f ?? index.f(position, k);
    card.scores.replaceChildren();
    if (!Number.isFinite(f)) return;
    make("b", "", `F ${modelPercent(f)}`, card.scores);
    if (scores) {
      const rest = `accuracy ${modelPercent(scores.accuracy)} · recall ${modelPercent(scores.recall)}`;
      make("span", "ei-faint", rest, card.scores);
    }
    card.scores.title = "of this clip, in %";
  }

  function fillFromIndex(card, k) {
    const { position, index } = app;
    const status = index.status(position, k);
    const chips = index.chips(position, k + 1);
    card.root.dataset.status = ["not-asked", "answered", "failed"][status];
    card.chips.replaceChildren();
    for (const code of chips) chipButton(app, code, card.chips, k + 1);
    const saidNothing = status === ANSWERED && !chips.some((code) => SIGN_NAMES[code & 3] !== "missed");
    if (saidNothing) make("span", "ei-faint", "said nothing", card.chips);
    if (status === NOT_ASKED) make("span", "ei-faint", "not asked", card.chips);
    card.problem.hidden = status !== FAILED;
    card.problem.textContent = "This model failed on the clip.";
    fillScores(card, k, null);
    for (const { body } of Object.values(card.folds)) body.replaceChildren();
  }

  function fillFromDetail(card, k, entry) {
    if (entry.error) card.problem.textContent = entry.error;
    fillScores(card, k, entry.scores);
    for (const [key, { fold, body }] of Object.entries(card.folds)) {
      fold.hidden = isEmpty(entry[key]);
      body.replaceChildren();
      if (!fold.hidden) FOLD_FILLERS[key](entry[key], body);
      body.scrollTop = 0;
    }
  }

  function fillTruth() {
    const { position, index } = app;
    const annotated = index.against === "annotations" && index.annotation(position)?.labels;
    heading.textContent = annotated ? "Truth: the annotation" : "Truth";
    truthChips.replaceChildren();
    for (const code of index.chips(position, 0)) chipButton(app, code, truthChips, 0);
    if (!index.hasTruth(position)) make("span", "ei-faint", "no true labels are known", truthChips);
    else if (!truthChips.children.length) make("span", "ei-faint", "no label", truthChips);
    fillAnnotation();
  }

  function fillAnnotation() {
    const row = app.index.annotation(app.position);
    diff.replaceChildren();
    diff.hidden = !row?.labels;
    if (diff.hidden) return;
    const by = make("p", "ei-faint", "Annotation", diff);
    if (row.author) by.append(" by ", make("bdi", "", row.author));
    by.append(", against the corpus");
    fillDiff(make("div", "ei-chips", undefined, diff), corpusLabels(app, detail), row.labels);
  }

  function mark() {
    cards.forEach(({ root }, k) => {
      root.classList.toggle("ei-focus", k === app.focus);
      root.toggleAttribute("aria-current", k === app.focus);
    });
  }

  function blank(position) {
    detail = null;
    if (cardsOf !== app.index) makeCards();
    element.hidden = position === undefined;
    if (position === undefined || !app.index) return;
    fillTruth();
    cards.forEach(fillFromIndex);
    mark();
  }

  async function load(position, still) {
    try {
      const found = await askDetail(app, position);
      if (!still()) return;
      detail = found;
      fillAnnotation();
      cards.forEach((card, k) => fillFromDetail(card, k, found.models[k]));
    } catch {
      // the pane in the middle says it
    }
  }

  app.on("focus", mark);
  app.on("annotations", () => app.index && app.position !== undefined && fillAnnotation());
  followClip(app, { blank, load, again: true });
  blank();
  return {};
}
