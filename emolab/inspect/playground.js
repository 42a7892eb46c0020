// The view of Playground (playground.py): choose members, strategy and setting; the kernel fuses and scores.
// Names, ids and labels are untrusted: they enter the page through textContent only.

const PATIENCE = 6000; // ms without an answer until the view says so
const PAUSE = 150; // ms that a setting has to stay until it is asked for
const TRAIL = 200; // settings that stay on the plane
const TONE = { "✓": "matched", "−": "missed", "+": "spurious" };
const PLANE = { side: 360, left: 44, top: 10, right: 42, bottom: 40 }; // pixels

function make(tag, className, text, parent) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function draw(tag, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function button(parent, label, act) {
  const element = make("button", "", label, parent);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

const shown = (measure, value) => (measure === "labels_per_clip" ? value.toFixed(2) : (100 * value).toFixed(1));

// The change between two values as they are shown
function change(measure, value, before) {
  if (before === undefined) return "";
  const step = Number(shown(measure, value)) - Number(shown(measure, before));
  const size = Math.abs(step).toFixed(measure === "labels_per_clip" ? 2 : 1);
  return Number(size) === 0 ? "= unchanged" : step > 0 ? `▲ +${size}` : `▼ −${size}`;
}

function layout(el) {
  const root = make("section", "emolab-playground", undefined, el);
  root.setAttribute("aria-label", "Fusion playground");
  root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab runs its own commands on the same keys
  const ui = { root };
  const head = make("header", "", undefined, root);
  ui.title = make("h3", "", "Fusion playground", head);
  ui.count = make("span", "ep-faint", "", head);

  const body = make("div", "ep-body", undefined, root);
  const left = make("div", "ep-left", undefined, body);
  const members = make("fieldset", "", undefined, left);
  ui.chosen = make("legend", "", "Members", members);
  ui.all = make("div", "ep-row", undefined, members);
  ui.members = make("div", "ep-members", undefined, members);
  const strategy = make("label", "ep-field", "Strategy", left);
  ui.strategy = make("select", "", undefined, strategy);
  ui.about = make("p", "ep-faint ep-about", "", left);
  ui.knob = make("label", "ep-field", undefined, left);
  const named = make("span", "ep-knob", undefined, ui.knob);
  ui.knobName = make("span", "", "", named);
  ui.value = make("output", "", "", named);
  ui.slider = make("input", "", undefined, ui.knob);
  ui.slider.type = "range";
  const ends = make("span", "ep-knob ep-faint", undefined, ui.knob);
  ui.low = make("span", "", "", ends);
  ui.high = make("span", "", "", ends);

  const right = make("div", "ep-right", undefined, body);
  const figure = make("figure", "", undefined, right);
  const { side, left: l, top, right: r, bottom } = PLANE;
  ui.plane = draw("svg", { viewBox: `0 0 ${l + side + r} ${top + side + bottom}`, role: "img" }, figure);
  const caption = make("figcaption", "ep-faint", undefined, figure);
  ui.points = make("ol", "ep-points", undefined, caption);
  const key = make("div", "ep-row", undefined, caption);
  for (const each of ["◆ this setting", "○ settings before", "□ known scores", "···· equal F"]) make("span", "", each, key);
  ui.forget = button(caption, "Forget the trail");
  ui.numbers = make("div", "ep-numbers", undefined, right);

  ui.status = make("div", "ep-status", "", root);
  ui.status.setAttribute("role", "status");
  const tools = make("div", "ep-tools", undefined, root);
  const filter = make("label", "", "Clips with ", tools);
  ui.filter = make("input", "", undefined, filter);
  ui.filter.type = "search";
  ui.filter.placeholder = "text in id or label";
  const legend = make("span", "ep-row", undefined, tools);
  for (const [sign, tone] of Object.entries(TONE)) make("span", `ep-chip ep-${tone}`, `${sign} ${tone}`, legend);
  make("span", "ep-chip ep-new", "new since the last setting", legend);
  ui.moves = make("div", "ep-row ep-moves", undefined, tools);
  ui.clips = make("div", "ep-clips", undefined, root);
  return ui;
}

function render({ model, el }) {
  const ui = layout(el);
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
      number.textContent = shown(measure, found[measure]) + (measure === "labels_per_clip" ? "" : " %");
      step.textContent = change(measure, found[measure], scores?.[measure]);
    }
    scores = found;
    const key = JSON.stringify([members, name, value]);
    if (trail.at(-1)?.key !== key) trail.push({ key, said, precision: found.precision, recall: found.recall });
    if (trail.length > TRAIL) trail.shift();
    say(`${said}: scored on ${found.n} clips`);
    drawPlane();
    clips(place.from);
  }

  function drawPlane() {
    const { side, left, top } = PLANE;
    const values = [...scene.points, ...trail].flatMap((each) => [100 * each.precision, 100 * each.recall]);
    const low = Math.max(0, Math.floor(Math.min(...values) / 10 - 0.3) * 10);
    const high = Math.min(100, Math.ceil(Math.max(...values) / 10 + 0.3) * 10);
    const span = high - low;
    const along = (value) => ((value - low) / span) * side;
    const at = (each) => [left + along(100 * each.precision), top + side - along(100 * each.recall)];
    const svg = ui.plane;
    svg.replaceChildren();
    draw("rect", { x: left, y: top, width: side, height: side, class: "ep-frame" }, svg);
    for (let value = low; value <= high; value += 10) {
      draw("text", { x: left + along(value), y: top + side + 15, "text-anchor": "middle" }, svg, value);
      draw("text", { x: left - 6, y: top + side - along(value) + 4, "text-anchor": "end" }, svg, value);
    }
    const middle = top + side / 2;
    draw("text", { x: left + side / 2, y: top + side + 34, "text-anchor": "middle", class: "ep-axis" }, svg, "precision (%)");
    draw("text", { x: 12, y: middle, "text-anchor": "middle", class: "ep-axis", transform: `rotate(-90 12 ${middle})` }, svg, "recall (%)");
    const box = { x: left, y: top, width: side, height: side, viewBox: `${low} ${-high} ${span} ${span}`, preserveAspectRatio: "none" };
    const inside = draw("svg", box, svg);
    for (const { level, line } of scene.iso) {
      if (span > 50 && level % 10) continue;
      const points = line.map(([p, r]) => `${p},${-r}`).join(" ");
      draw("polyline", { points, class: "ep-iso", "vector-effect": "non-scaling-stroke" }, inside);
      if (level <= low || level >= high) continue;
      const edge = (level * high) / (2 * high - level); // where it leaves at the right, or else its middle
      const [x, y] = edge > low ? [side + 5, along(edge)] : [along(level), along(level)];
      draw("text", { x: left + x, y: top + side - y + 3, class: "ep-faint" }, svg, `F ${level}`);
    }
    scene.points.forEach((point, number) => {
      const [x, y] = at(point);
      const square = draw("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, class: "ep-fixed" }, svg);
      draw("title", {}, square, point.name);
      draw("text", { x: x + 6, y: y - 3, class: "ep-faint" }, svg, number + 1);
    });
    draw("polyline", { points: trail.map((each) => at(each).join(",")).join(" "), class: "ep-trail" }, svg);
    trail.forEach((each, number) => {
      const [x, y] = at(each);
      const last = number === trail.length - 1;
      const mark = last
        ? draw("path", { d: `M${x} ${y - 9}L${x + 9} ${y}L${x} ${y + 9}L${x - 9} ${y}z`, class: "ep-now" }, svg)
        : draw("circle", { cx: x, cy: y, r: 4, class: "ep-past" }, svg);
      draw("title", {}, mark, each.said);
    });
    const now = trail.at(-1);
    svg.setAttribute("aria-label", `Recall-precision plane: precision ${shown("precision", now.precision)} %, recall ${shown("recall", now.recall)} %`);
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
    if (trail.length) drawPlane();
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
