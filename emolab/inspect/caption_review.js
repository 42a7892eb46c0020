// The view of CaptionReview (caption_review.py): one caption pair at a time, a verdict by key or button.

import { choice, keyButton, reviewFrame, underline } from "./caption_review_frame.js";
import { later, make } from "./inspector_view/dom.js";

const SIGN = { keep: "✓", drop: "−", flag: "⚑" };
const DONE = { keep: "kept", drop: "dropped", flag: "flagged" };
const PATIENCE = 4000; // ms without an answer until the view says so
const REMEMBERED = 12; // pairs with images

// What "Show" offers: (kept by the filter, verdict or undefined) => shown
const FILTERS = {
  "all pairs": () => true,
  "undecided": (kept, verdict) => !verdict,
  "kept by the filter": (kept) => kept,
  "dropped by the filter": (kept) => !kept,
  "flagged": (kept, verdict) => verdict === "flag",
  "filter overruled": (kept, verdict) => (kept ? verdict === "drop" : verdict === "keep"),
};

// What "Order" offers: (score, threshold) => sort key
const ORDERS = {
  "as in the file": () => 0,
  "lowest score first": (score) => score,
  "highest score first": (score) => -score,
  "nearest to the threshold": (score, threshold) => Math.abs(score - threshold),
};

const KEYS = {
  k: "keep", d: "drop", f: "flag", u: "withdraw", n: "undecided", m: "note",
  j: "previous", ArrowLeft: "previous", l: "next", ArrowRight: "next",
};

function render({ model, el }) {
  const ui = reviewFrame(el);
  const pairs = new Map(); // position -> {pair, url | noImage}, the latest to arrive last
  const asked = new Set(); // positions of pairs that are on their way
  let index = null; // scores, kept, verdicts of all pairs
  let list = []; // positions that the filter shows, in order; stays as it is while verdicts are given
  let at = 0; // place in the list
  let saving = null; // position whose verdict is on its way
  let moveOn = false; // to the next pair once it is saved; not for a note or a withdrawal

  const position = () => list[at];
  const verdictOf = (each) => index.verdicts[each]?.verdict;

  // --- to and from Python
  const unanswered = later(PATIENCE, () => {
    say("The kernel does not answer: it is busy or has ended. Nothing is saved until it does.", true);
  });

  function ask(message) {
    unanswered();
    model.send(message);
  }

  function onMessage(message, buffers) {
    unanswered.stop();
    if (message.kind === "index") {
      const stayed = position();
      index = message;
      fillFilters();
      select(stayed);
    } else if (message.kind === "pair") {
      remember(message, buffers);
      if (message.position === position()) show();
    } else if (message.kind === "saved") {
      saved(message);
    } else if (message.kind === "problem") {
      saving = null;
      say(message.text, true);
    }
  }

  function remember(message, buffers) {
    forget(message.position);
    asked.delete(message.position);
    const url = buffers?.length ? URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })) : null;
    pairs.set(message.position, { pair: message.pair, url, noImage: message.no_image });
    for (const each of pairs.keys()) if (pairs.size > REMEMBERED && each !== position()) forget(each);
  }

  function forget(each) {
    const known = pairs.get(each);
    if (known?.url) URL.revokeObjectURL(known.url);
    pairs.delete(each);
  }

  function saved({ position: where, row }) {
    if (!index) return;
    index.verdicts[where] = row.verdict ? row : null;
    fillFilters();
    if (saving === where) {
      saving = null;
      const name = row.image_id;
      say(row.verdict ? `${SIGN[row.verdict]} ${DONE[row.verdict]}: ${name}, saved` : `verdict on ${name} withdrawn, saved`);
      if (moveOn && where === position() && at < list.length - 1) at += 1;
      show();
    } else if (where === position()) {
      show(); // another view's
    }
  }

  // --- what the reviewer does
  function judge(verdict, move = true) {
    if (!index || position() === undefined || saving !== null || !pairs.has(position())) return;
    if (verdict === null && !verdictOf(position())) return say("There is no verdict on this pair to withdraw.");
    saving = position();
    moveOn = move && verdict !== null;
    say("saving …");
    ask({ kind: "verdict", position: saving, verdict, note: verdict === null ? "" : ui.note.value });
  }

  function go(step) {
    const next = at + step;
    if (next < 0 || next >= list.length) return say(step < 0 ? "This is the first pair." : "This is the last pair.");
    at = next;
    say("");
    show();
  }

  function nextUndecided() {
    const order = [...list.keys()].map((i) => (at + 1 + i) % list.length);
    const found = order.find((place) => !verdictOf(list[place]));
    if (found === undefined) return say("No undecided pair here: all pairs shown have a verdict.");
    at = found;
    say("");
    show();
  }

  const ACTIONS = {
    keep: () => judge("keep"), drop: () => judge("drop"), flag: () => judge("flag"), withdraw: () => judge(null),
    next: () => go(1), previous: () => go(-1), undecided: nextUndecided,
    note: () => ui.note.focus(),
  };

  // --- what is seen
  function say(text, problem = false) {
    ui.status.textContent = text;
    ui.status.classList.toggle("er-problem", problem);
  }

  function fillFilters() {
    for (const option of filter.options) {
      const count = index.kept.filter((kept, each) => FILTERS[option.value](kept, verdictOf(each))).length;
      option.textContent = `${option.value} (${count})`;
    }
    const reviewed = index.verdicts.filter(Boolean).length;
    ui.title.textContent = `Caption review · ${index.corpus}`;
    ui.reviewed.textContent = `${reviewed} of ${index.kept.length} reviewed`;
    ui.bar.max = index.kept.length || 1;
    ui.bar.value = reviewed;
  }

  function select(stay) {
    const key = (each) => (index.scores[each] === null ? Infinity : ORDERS[order.value](index.scores[each], index.threshold));
    const inFile = order.selectedIndex === 0;
    list = [...index.kept.keys()].filter((each) => FILTERS[filter.value](index.kept[each], verdictOf(each)));
    // sort is stable, and Infinity - Infinity would be no number
    if (!inFile) list.sort((a, b) => (key(a) === key(b) ? 0 : key(a) - key(b)));
    at = Math.max(0, list.indexOf(stay));
    show();
  }

  function show() {
    const known = pairs.get(position());
    ui.place.textContent = list.length ? `${at + 1} of ${list.length}` : "no pair";
    ui.previous.setAttribute("aria-disabled", at === 0);
    ui.next.setAttribute("aria-disabled", at >= list.length - 1);
    ui.root.classList.toggle("er-empty", !list.length);
    if (!list.length) return say("No pair here; choose another filter.");
    for (const each of [position(), list[at + 1]]) {
      if (each === undefined || pairs.has(each) || asked.has(each)) continue;
      asked.add(each);
      ask({ kind: "pair", position: each });
    }
    ui.root.classList.toggle("er-loading", !known);
    if (known) fill(known);
  }

  function fill({ pair, url, noImage }) {
    ui.image.hidden = !url;
    if (url && ui.image.src !== url) ui.image.src = url;
    ui.image.alt = `Image ${pair.image_id}`;
    ui.noImage.textContent = noImage ?? "";
    ui.name.textContent = pair.image_id;
    fillVerdict();

    ui.kept.textContent = pair.kept ? "✓ kept by the filter" : "− dropped by the filter";
    ui.kept.dataset.sign = pair.kept ? "keep" : "drop";
    ui.reason.textContent = pair.reason ?? "";
    const scored = pair.score !== null;
    ui.track.classList.toggle("er-none", !scored);
    ui.fill.style.width = `${100 * (pair.score ?? 0)}%`;
    ui.fill.dataset.sign = pair.kept ? "keep" : "drop";
    ui.expected.hidden = pair.expected === null;
    ui.expected.style.left = `${100 * (pair.expected ?? 0)}%`;
    ui.limit.style.left = `${100 * index.threshold}%`;
    ui.score.replaceChildren();
    make("b", "", scored ? `score ${pair.score.toFixed(2)}` : "no score", ui.score);
    if (pair.expected !== null) make("span", "", `◇ expected ${pair.expected.toFixed(2)}`, ui.score);
    make("span", "", `❘ threshold ${index.threshold.toFixed(2)}`, ui.score);
    for (const which of ["first", "second"]) {
      const chosen = pair.chosen === which || pair.chosen === "both";
      ui[which].chosen.hidden = !chosen;
      ui[which].card.classList.toggle("er-is-chosen", chosen);
      const text = pair[which] || "";
      ui[which].text.classList.toggle("er-faint", !text);
      if (text) underline(ui[which].text, text, pair[which === "first" ? "second" : "first"] || "");
      else ui[which].text.textContent = "(no caption)";
      ui[which].text.scrollTop = 0;
    }
    ui.answer.textContent = pair.answer ? `The judge's answer: “${pair.answer}”` : "";
  }

  function fillVerdict() {
    const row = index.verdicts[position()];
    for (const name of Object.keys(SIGN)) ui[name].setAttribute("aria-pressed", row?.verdict === name);
    ui.withdraw.setAttribute("aria-disabled", !row);
    ui.note.value = row?.note ?? "";
    const overruled = row && FILTERS["filter overruled"](index.kept[position()], row.verdict);
    const when = row && new Date(row.time).toLocaleString();
    ui.said.textContent = row
      ? `${SIGN[row.verdict]} ${DONE[row.verdict]} by you${overruled ? ", against the filter" : ""}, ${when}`
      : "No verdict yet. A note is saved with it.";
  }

  // --- wiring
  const filter = choice(ui.tools, "Show", Object.keys(FILTERS), () => select(position()));
  const order = choice(ui.tools, "Order", Object.keys(ORDERS), () => select(position()));
  const moves = make("div", "er-moves", undefined, ui.tools);
  ui.previous = keyButton(moves, "‹ Previous", "", ACTIONS.previous);
  ui.place = make("span", "er-place", "…", moves);
  ui.next = keyButton(moves, "Next ›", "", ACTIONS.next);
  keyButton(moves, "Next undecided", "n", ACTIONS.undecided);
  for (const [name, key] of [["keep", "k"], ["drop", "d"], ["flag", "f"]]) {
    ui[name] = keyButton(ui.buttons, `${SIGN[name]} ${name[0].toUpperCase()}${name.slice(1)}`, key, ACTIONS[name]);
    ui[name].dataset.sign = name;
  }
  ui.withdraw = keyButton(ui.buttons, "Withdraw", "u", ACTIONS.withdraw);
  ui.note.addEventListener("change", () => {
    const row = index?.verdicts[position()];
    if (row && ui.note.value !== row.note) judge(row.verdict, false);
  });
  ui.root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === ui.note) {
      if (event.key === "Escape" || event.key === "Enter") ui.root.focus();
      return;
    }
    const action = event.target instanceof HTMLSelectElement ? null : KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    ACTIONS[action]();
  });
  ui.root.addEventListener("click", (event) => {
    if (!event.target.closest("button, select, input, label")) ui.root.focus({ preventScroll: true });
  });
  model.on("msg:custom", onMessage);
  ask({ kind: "open" });
  return () => {
    unanswered.stop();
    model.off("msg:custom", onMessage);
    for (const each of [...pairs.keys()]) forget(each);
  };
}

export default { render };
