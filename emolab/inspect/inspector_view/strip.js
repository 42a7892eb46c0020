// The frames exactly as a model saw them, and the face in each; a frame seeks the video to its time.

import { fillSelect, make, select } from "./dom.js";

export function makeStrip(app, parent, seek) {
  const root = make("section", "ei-strip", undefined, parent);
  const head = make("div", "ei-pane-head", undefined, root);
  make("h4", "", "Frames as the model saw them", head);
  const look = select(head, "Frames as seen by", () => opened && open(opened.position, opened.still));
  const problem = make("p", "ei-faint", "", root);
  const list = make("div", "ei-frames", undefined, root);

  let cells = []; // {cell, face, time}
  let urls = [];
  let opened = null; // {position, still}
  let turn = 0;

  function picture(jpeg, alt, into) {
    const image = make("img", "", undefined, into);
    image.alt = alt;
    urls.push(URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" })));
    image.src = urls.at(-1);
  }

  function blank() {
    turn += 1;
    opened = null;
    clear();
  }

  function hide() {
    root.hidden = true;
  }

  function clear() {
    for (const url of urls) URL.revokeObjectURL(url);
    urls = [];
    cells = [];
    list.replaceChildren();
    problem.textContent = "";
  }

  async function open(position, still) {
    opened = { position, still };
    if (!look.options.length) return;
    const mine = ++turn;
    const wanted = () => still() && mine === turn;
    const asked = { position, look: Number(look.value) };
    root.hidden = false;
    clear();
    problem.textContent = "decoding the frames …";
    try {
      const { message, buffers } = await app.ask({ kind: "frames", ...asked });
      if (!wanted()) return;
      fill(message, buffers);
      if (app.fixed || !cells.length) return;
      const faces = await app.ask({ kind: "faces", ...asked });
      if (wanted()) fillFaces(faces.message, faces.buffers);
    } catch (error) {
      if (wanted()) problem.textContent = error.message;
    }
  }

  function fill(message, jpegs) {
    problem.textContent = message.problem ?? "";
    cells = jpegs.map((jpeg, each) => {
      const time = message.times[each];
      const cell = make("button", "ei-frame", undefined, list);
      cell.type = "button";
      cell.title = `frame ${message.frames[each]} of the file, at ${time.toFixed(3)} s`;
      const both = make("span", "ei-frame-pictures", undefined, cell);
      picture(jpeg, `Frame at ${time.toFixed(2)} s`, both);
      const face = app.fixed ? null : make("span", "ei-face", undefined, both);
      make("span", "ei-frame-time", `${time.toFixed(2)} s`, cell);
      cell.addEventListener("click", () => pick(each));
      return { cell, face, time };
    });
    highlight(0);
  }

  function fillFaces(message, jpegs) {
    if (message.problem) problem.textContent = [problem.textContent, message.problem].filter(Boolean).join(" ");
    if (!message.found.length) return; // models see a still image whole
    let next = 0;
    cells.forEach(({ face }, each) => {
      const found = message.found[each] ?? 0;
      if (found) picture(jpegs[next++], "The face in it", face);
      else if (!message.problem) make("small", "", "no face", face);
      if (found > 1) face.title = `${found} faces found`;
    });
  }

  function pick(each) {
    cells.forEach(({ cell }, other) => cell.setAttribute("aria-pressed", other === each));
    if (app.fixed) highlight(cells[each].time);
    else seek(cells[each].time);
  }

  // Highlights the frame nearest to a time
  function highlight(seconds) {
    const far = cells.map(({ time }) => Math.abs(time - seconds));
    const nearest = far.indexOf(Math.min(...far));
    cells.forEach(({ cell }, each) => cell.classList.toggle("ei-now", each === nearest));
  }

  function fillLooks() {
    fillSelect(look, (app.index?.looks ?? []).map(({ name }, each) => [each, name]));
    look.hidden = look.options.length < 2;
  }

  app.on("index", fillLooks);
  app.on("end", blank);
  fillLooks();
  hide();
  return { blank, open, hide, highlight };
}
