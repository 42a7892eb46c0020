// A video of one's own: dropped or chosen, sent to the kernel, answered by the models, and opened beside the others.

import { make, button } from "./dom.js";
import { keepKeys } from "./focus.js";

const LIVE_CHUNK = 2 * 2 ** 20;
const LIVE_LIMIT = 512 * 2 ** 20;
const LIVE_TOO_LARGE =
  "This file is too large to be sent (limit 512 MiB): put it where the kernel can read it, and give its path.";

export function livePanel(app, element) {
  element.classList.add("ei-live");
  const root = make("details", "ei-fold", undefined, element);
  make("summary", "", "Try a video of your own", root);
  const body = make("div", "ei-live-body", undefined, root);

  const zone = make("div", "ei-drop", undefined, body);
  const chosenText = make("p", "", "", zone);
  const chooser = make("input", "", undefined, zone);
  chooser.type = "file";
  chooser.accept = "video/*";
  chooser.setAttribute("aria-label", "Video file");
  const pathLabel = make("label", "ei-field", "or a path that the kernel can read", body);
  const path = make("input", "ei-wide", undefined, pathLabel);
  path.placeholder = "/data/clip.mp4";
  const saidLabel = make("label", "ei-field", "Transcript (what is said in it)", body);
  const transcript = make("textarea", "ei-wide", undefined, saidLabel);
  transcript.rows = 2;
  const models = make("div", "ei-live-models", undefined, body);
  models.setAttribute("role", "group");
  models.setAttribute("aria-label", "Models");
  const acts = make("div", "ei-row", undefined, body);
  const start = button(acts, "Run", run);
  const stop = button(acts, "Stop sending", () => (stopped = true));
  const bar = make("progress", "", undefined, acts);
  bar.setAttribute("aria-label", "progress");
  const text = make("p", "ei-live-text", "", body);
  text.setAttribute("role", "status");

  let file = null;
  let running = false;
  let stopped = false;

  function tell(sentence, done, of) {
    text.textContent = sentence;
    bar.hidden = of === undefined;
    if (of) Object.assign(bar, { max: of, value: done });
  }

  function choose(chosen) {
    file = chosen ?? null;
    const size = file && `${Math.max(0.1, file.size / 2 ** 20).toFixed(1)} MiB`;
    chosenText.textContent = file ? `${file.name} (${size})` : "Drop a video here, or choose one:";
    const tooLarge = file && file.size > LIVE_LIMIT;
    tell(tooLarge ? LIVE_TOO_LARGE : "");
    if (tooLarge) file = null;
    else if (file) path.value = "";
  }

  function fillModels() {
    const live = app.index?.live;
    element.hidden = app.fixed || !live;
    if (element.hidden) return;
    const unticked = new Set(boxes().filter((box) => !box.checked).map(({ value }) => value));
    models.replaceChildren();
    for (const name of live.models) {
      const label = make("label", "", undefined, models);
      const box = make("input", "", undefined, label);
      box.type = "checkbox";
      box.value = name;
      box.checked = !unticked.has(name);
      make("bdi", "", name, label);
      label.title = name;
    }
  }

  const boxes = () => [...models.querySelectorAll("input")];

  function enable() {
    keepKeys(() => (start.disabled = running || !app.alive));
    start.title = app.alive ? "" : "The kernel does not answer.";
  }

  async function upload() {
    const { name, size } = file;
    const id = Math.random().toString(36).slice(2); // two views may send files of one name
    for (let from = 0; from < size; ) {
      if (stopped) throw new Error("Sending was stopped.");
      tell(`Sending ${name} …`, from, size);
      const chunk = await file.slice(from, from + LIVE_CHUNK).arrayBuffer();
      from = (await app.ask({ kind: "upload", id, name, from, bytes: size }, [chunk])).message.from;
    }
    return { id, name };
  }

  async function run() {
    const chosen = boxes().flatMap((box) => (box.checked ? [box.value] : []));
    const given = path.value.trim();
    if (running) return;
    if (!chosen.length) return tell("Tick at least one model.");
    if (!file && !given) return tell("Choose a video, or give the path of one.");
    if (file && !file.size) return tell("This file is empty.");
    running = true;
    stopped = false;
    enable();
    stop.hidden = Boolean(given);
    try {
      const sent = given ? { id: null, name: null } : await upload();
      keepKeys(() => (stop.hidden = true));
      tell("The models look at it …", 0, chosen.length);
      const asked = { kind: "live", ...sent, path: given || null, transcript: transcript.value.trim(), models: chosen };
      const { message } = await app.ask(asked);
      tell(message.text);
      app.say(message.text);
    } catch (error) {
      tell(`⚠ ${error.message}`);
      keepKeys(() => (stop.hidden = true));
    }
    running = false;
    enable();
  }

  chooser.addEventListener("change", () => choose(chooser.files[0]));
  for (const event of ["dragenter", "dragover", "dragleave", "drop"]) {
    zone.addEventListener(event, (dragged) => {
      dragged.preventDefault();
      dragged.stopPropagation(); // JupyterLab would take the file
      zone.classList.toggle("ei-over", event === "dragenter" || event === "dragover");
      if (event === "drop" && dragged.dataTransfer.files.length) choose(dragged.dataTransfer.files[0]);
    });
  }
  path.addEventListener("input", () => {
    if (!path.value || !file) return;
    chooser.value = "";
    choose(null);
  });
  app.on("index", fillModels);
  app.on("alive", enable);
  app.on("message", (message) => {
    if (running && message.kind === "live_progress") tell(message.text, message.done, message.of);
  });
  app.on("end", () => (stopped = true));
  stop.hidden = true;
  choose(null);
  fillModels();
  enable();

  return {
    open() {
      root.open = true;
      chooser.focus();
    },
  };
}
