// The view of Playground (playground.py): choose members, strategy and setting; the kernel fuses and scores.

import { button, make } from "./inspector_view/dom.js";
import { playgroundFrame, TONE } from "./playground_frame.js";
import { drawPlane, scoreText } from "./playground_plane.js";

const PATIENCE = 6000; // ms without an answer until the view says so
const PAUSE = 150; // ms that a setting has to stay until it is asked for
const TRAIL = 200; // settings that stay on the plane

// The change between two values as they are shown
function change(measure, value, before) {
  if (before === undefined) return "";
  const step = Number(scoreText(measure, value)) - Number(scoreText(measure, before));
  const size = Math.abs(step).toFixed(measure === "labels_per_clip" ? 2 : 1);
  return Number(size) === 0 ? "= unchanged" : step > 0 ? `▲ +${size}` : `▼ −${size}`;
}

function render({ model, el }) {
  const ui = playgroundFrame(el);
  const view = Math.random().toString(36).slice(2); // answers go to all views of a widget
  const latest = {}; // kind -> request that is due; other answers are stale
  const timers = {};
  const trail = []; // {key, precision, recall, said}, the latest last
  const open = new Set(); // clips whose details are open
  let counter = 0;
  let scene = null; // the `opened` answer
  let due = false; // a setting has not been asked for yet
  let scores = null;
  let place = { from: 0, total: 0, page: 1 };
  let before = new Map(); // clip -> its chips at the setting before

  const strategy = () => scene.strategies[ui.strategy.selectedIndex];
  const boxes = () => [...ui.members.querySelectorAll("input")];
  const setting = () => ({
    members: boxes().flatMap((box, each) => (box.checked ? [scene.members[each].name] : [])),
    strategy: strategy().name,
    value: strategy().knob ? Number(ui.slider.value) : null,
  });

  // --- to and from Python
  function stop(name) {
    clearTimeout(timers[name]);
    timers[name] = null;
  }

  function after(name, pause, act) {
    stop(name);
    timers[name] = setTimeout(() => ((timers[name] = null), act()), pause);
  }

  function ask(message) {
    latest[message.kind] = `${view} ${++counter}`;
    after("patience", PATIENCE, () => say("The kernel does not answer yet: it is busy, still computes this, or has ended.", true));
    model.send({ ...message, request: latest[message.kind] });
  }

  function onMessage(message) {
    const kind = Object.keys(latest).find((each) => latest[each] === message.request);
    if (!kind) return;
    delete latest[kind];
    if (!Object.keys(latest).length) stop("patience");
    if (message.kind === "opened") opened(message);
    else if (message.kind === "fused") fused(message.scores);
    else if (message.kind === "clips") fillClips(message);
    else if (message.kind === "problem") {
      say(message.text, true);
      ui.root.classList.add("ep-stale");
    }
    if (kind === "fuse" && due) fuse();
  }

  function changed() {
    due = true;
    fillControls();
    after("fuse", PAUSE, fuse);
  }

  function fuse() {
    if (!due || (latest.fuse && timers.patience)) return; // the answer that is on its way asks again
    due = false;
    ask({ kind: "fuse", ...setting() });
  }

  function clips(from) {
    ask({ kind: "clips", ...setting(), from, filter: ui.filter.value });
  }

  // --- what is seen
  function say(text, problem = false) {
    ui.status.textContent = text;
    ui.status.classList.toggle("ep-problem", problem);
  }

  function opened(message) {
    scene = message;
    ui.title.textContent = `Fusion playground · ${scene.corpus}`;
    ui.count.textContent = `${scene.clips} labelled clips`;
    for (const member of scene.members) {
      const label = make("label", "", undefined, ui.members);
      const box = make("input", "", undefined, label);
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", changed);
      make("span", "", member.name, label);
      label.title = `${member.name}: ${member.clips} clips`;
    }
    for (const each of scene.strategies) make("option", "", each.name, ui.strategy);
    for (const point of scene.points) make("li", "", point.name, ui.points);
    for (const [measure, name] of Object.entries(scene.measures)) {
      const entry = make("div", "", undefined, ui.numbers);
      make("span", "ep-faint", name, entry); // no dl: JupyterLab lets its dt float
      make("span", "ep-number", "–", entry).dataset.measure = measure;
      make("span", "ep-change", "", entry);
    }
    choose();
  }

  function choose() {
    const { about, knob } = strategy();
    ui.about.textContent = about;
    ui.knob.hidden = !knob;
    if (knob) {
      ui.knobName.textContent = knob.label;
      ui.slider.setAttribute("aria-label", knob.label);
      Object.assign(ui.slider, { min: knob.low, max: knob.high, step: knob.step });
      ui.slider.value = knob.start;
      ui.low.textContent = knob.low;
      ui.high.textContent = knob.high;
    }
    changed();
  }

  function fillControls() {
    const count = boxes().filter((box) => box.checked).length;
    ui.chosen.textContent = `Members (${count} of ${scene.members.length})`;
    ui.value.textContent = ui.slider.value;
  }

  function fused(found) {
    if (due) return; // the setting has moved on; its own answer follows
    ui.root.classList.remove("ep-stale");
    const { members, strategy: name, value } = setting();
    const knob = value === null ? "" : `, ${strategy().knob.label} ${ui.slider.value}`;
    const said = `${name}${knob}, ${members.length} of ${scene.members.length} members`;
    for (const entry of ui.numbers.children) {
      const [, number, step] = entry.children;
      const { measure } = number.dataset;
      number.textContent = scoreText(measure, found[measure]) + (measure === "labels_per_clip" ? "" : " %");
      step.textContent = change(measure, found[measure], scores?.[measure]);
    }
    scores = found;
    const key = JSON.stringify([members, name, value]);
    if (trail.at(-1)?.key !== key) trail.push({ key, said, precision: found.precision, recall: found.recall });
    if (trail.length > TRAIL) trail.shift();
    say(`${said}: scored on ${found.n} clips`);
    drawPlane(ui.plane, scene, trail);
    clips(place.from);
  }

  function fillClips(message) {
    if (message.from !== place.from) ui.clips.scrollTop = 0;
    place = message;
    const until = Math.min(place.from + place.page, place.total);
    ui.place.textContent = place.total ? `${place.from + 1} to ${until} of ${place.total} clips` : "no clip";
    ui.previous.setAttribute("aria-disabled", place.from === 0);
    ui.next.setAttribute("aria-disabled", until >= place.total);
    const now = new Map();
    ui.clips.replaceChildren();
    for (const { clip_id: clip, chips } of message.clips) {
      const known = before.get(clip);
      now.set(clip, new Set(chips.map((chip) => chip.sign + chip.label)));
      const entry = make("details", "", undefined, ui.clips);
      entry.open = open.has(clip);
      entry.addEventListener("toggle", () => (entry.open ? open.add(clip) : open.delete(clip)));
      const line = make("summary", "", undefined, entry);
      make("b", "", clip, line);
      for (const chip of chips) {
        const fresh = known && !known.has(chip.sign + chip.label) ? " ep-new" : "";
        const label = make("span", `ep-chip ep-${TONE[chip.sign]}${fresh}`, `${chip.sign} ${chip.label}`, line);
        const said = chip.said.length ? `said by ${chip.said.join(", ")}` : "said by no chosen member";
        label.title = said;
        make("small", "", chip.said.length, label);
        make("p", "", `${chip.sign} ${chip.label}: ${said}`, entry);
      }
      if (!chips.length) make("span", "ep-faint", "no label", line);
    }
    if (!message.clips.length) make("p", "ep-faint", "No clip holds this text.", ui.clips);
    before = now;
  }

  // --- wiring
  function tick(on) {
    for (const box of boxes()) box.checked = on;
    changed();
  }

  function turn(step) {
    const from = place.from + step * place.page;
    if (from >= 0 && from < place.total) clips(from);
  }

  button(ui.all, "All", () => tick(true));
  button(ui.all, "None", () => tick(false));
  ui.previous = button(ui.moves, "‹ Previous", () => turn(-1));
  ui.place = make("span", "", "…", ui.moves);
  ui.next = button(ui.moves, "Next ›", () => turn(1));
  ui.strategy.addEventListener("change", choose);
  ui.slider.addEventListener("input", changed);
  ui.filter.addEventListener("input", () => after("filter", PAUSE, () => clips(0)));
  ui.forget.addEventListener("click", () => {
    trail.splice(0, trail.length - 1);
    if (trail.length) drawPlane(ui.plane, scene, trail);
  });
  ui.root.addEventListener("keydown", (event) => event.stopPropagation());
  model.on("msg:custom", onMessage);
  ask({ kind: "open" });
  return () => {
    for (const name of Object.keys(timers)) stop(name);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
