// The video of the open clip, with sound: from the Jupyter server where it gives the file, else through the kernel.

import { make, button } from "./dom.js";
import { keepKeys } from "./focus.js";

const PLAYER_NUDGE = 0.001; // s; times are rounded, and a seek must not end just before its frame
const PLAYER_STILL = "This clip is a still image: there is nothing to play.";

function playerBase() {
  try {
    return JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl || "/";
  } catch {
    return document.body.dataset.baseUrl || "/"; // Notebook 6 and its like
  }
}

// Whether the server gives this very file: its size must be the one that Python saw.
async function playerServed(url, bytes) {
  const abort = new AbortController();
  try {
    const headers = { Range: "bytes=0-1" };
    const answer = await fetch(url, { headers, cache: "no-store", signal: abort.signal });
    if (answer.status === 206) return Number(answer.headers.get("Content-Range")?.split("/")[1]) === bytes;
    return answer.status === 200 && Number(answer.headers.get("Content-Length")) === bytes;
  } catch {
    return false;
  } finally {
    abort.abort(); // a server without ranges would send all of it
  }
}

function playerSize(bytes) {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

function playerFacts(media) {
  const facts = [media.name, media.codecs];
  if (media.width && media.height) facts.push(`${media.width}×${media.height}`);
  if (media.fps) facts.push(`${Number(media.fps.toFixed(2))} fps`);
  if (media.duration) facts.push(`${media.duration.toFixed(1)} s`);
  if (media.bytes) facts.push(playerSize(media.bytes));
  if (media.converted) facts.push("a converted copy plays");
  return facts.filter(Boolean).join(" · ");
}

// `ticked(seconds)` is called while the time moves.
export function makePlayer(app, parent, ticked) {
  const frame = make("div", "ei-player", undefined, parent);
  const video = make("video", "ei-video", undefined, frame);
  video.controls = true;
  video.playsInline = true;
  video.preload = "metadata";
  video.setAttribute("aria-label", "Video of the clip");
  const note = make("div", "ei-player-note", undefined, frame);
  const sentence = make("p", "", "", note);
  const bar = make("progress", "", undefined, note);
  bar.max = 1;
  bar.setAttribute("aria-label", "progress");
  const offered = button(note, "", convert);
  const facts = make("p", "ei-faint ei-player-facts", "", parent);

  let media = null;
  let position;
  let still = () => false; // whether the clip that `media` belongs to is open
  let blobUrl = null;

  function tell(text, { action = "", done = null } = {}) {
    sentence.textContent = text;
    offered.textContent = action;
    bar.hidden = done === null;
    if (done !== null) bar.value = done;
    keepKeys(() => {
      offered.hidden = !action;
      note.hidden = !text;
    });
    video.hidden = !video.hasAttribute("src");
    frame.classList.toggle("ei-unplayed", video.hidden && Boolean(text) && done === null); // else a video is to come
  }

  function close(text = "") {
    video.pause();
    video.removeAttribute("src");
    video.load(); // lets go of the file and of the connection
    if (blobUrl) URL.revokeObjectURL(blobUrl);
    blobUrl = null;
    tell(text);
  }

  function blank() {
    media = null;
    close();
    facts.textContent = "";
  }

  async function show(found, at, wanted) {
    media = found;
    position = at;
    still = wanted;
    facts.textContent = playerFacts(found);
    if (found.state !== "file") return close(found.text ?? PLAYER_STILL);
    if (!found.likely) return offer(found.text ?? `Browsers can probably not play ${found.codecs || found.type}.`);
    const url = found.url && new URL(found.url, new URL(playerBase(), location.href)).href;
    if (url && (await playerServed(url, found.bytes))) return wanted() && play(url);
    if (!wanted()) return;
    if (found.bytes <= found.limit) return fetchBytes(found, at, wanted);
    const reason = `The server does not give this file, and ${playerSize(found.bytes)} are too much to be sent.`;
    offer(found.text ?? reason, "Make a small copy to play");
  }

  async function fetchBytes(found, at, wanted) {
    const chunks = [];
    let from = 0;
    while (from < found.bytes) {
      tell("Fetching the video through the kernel …", { done: from / found.bytes });
      const { buffers } = await app.ask({ kind: "bytes", position: at, from });
      if (!wanted()) return;
      if (!buffers?.[0]?.byteLength) throw new Error("The video ended before its last byte; has the file changed?");
      chunks.push(buffers[0]);
      from += buffers[0].byteLength;
    }
    close();
    blobUrl = URL.createObjectURL(new Blob(chunks, { type: found.type }));
    play(blobUrl);
  }

  function play(url) {
    video.src = url;
    frame.classList.toggle("ei-sound-only", !media.has_video);
    if (!media.has_video) tell("This clip has sound but no picture.");
    else tell(media.has_audio ? "" : "This clip has no sound.");
  }

  function offer(reason, action = "Convert for this browser") {
    close();
    if (!media.converted) tell(reason, { action });
    else tell(`${reason} This is already the converted copy.`);
  }

  async function convert() {
    if (!app.alive) return app.say("The kernel does not answer: nothing can be converted now.", true);
    const [at, wanted] = [position, still];
    tell("Converting …", { done: 0 });
    try {
      const { message } = await app.ask({ kind: "convert", position: at });
      if (wanted()) await show(message, at, wanted);
    } catch (error) {
      if (wanted()) tell(error.message, { action: "Try again" });
    }
  }

  video.addEventListener("error", () => {
    if (!media || !video.hasAttribute("src")) return;
    const why = video.error?.message ? `: ${video.error.message}` : "";
    offer(`This browser cannot play the file (${media.codecs || media.type})${why}.`);
  });
  video.addEventListener("loadedmetadata", () => {
    // a browser that knows the sound but not the picture raises no error
    if (media?.has_video && !video.videoWidth) offer(`This browser plays only the sound of it (${media.codecs}).`);
  });
  for (const event of ["timeupdate", "seeked"]) video.addEventListener(event, () => ticked(video.currentTime));
  app.on("message", (message) => {
    if (message.kind !== "converting" || !media || message.position !== position || !still()) return;
    if (!video.hasAttribute("src")) tell("Converting …", { done: message.done });
  });
  app.on("end", blank);
  blank();

  function ready() {
    if (video.hasAttribute("src")) return true;
    app.say(sentence.textContent || "There is no video to play yet.");
    return false;
  }

  function seek(seconds) {
    if (!ready()) return;
    video.currentTime = Math.max(0, Math.min(seconds + PLAYER_NUDGE, video.duration || Infinity));
  }

  return {
    blank, seek, tell,
    show: (found, at, wanted) => show(found, at, wanted).catch((error) => wanted() && close(error.message)),
    toggle() {
      if (!ready()) return;
      if (video.paused) video.play().catch((error) => app.say(`The browser does not play it: ${error.message}`, true));
      else video.pause();
    },
    step(frames) {
      if (!ready()) return;
      video.pause();
      video.currentTime = Math.max(0, video.currentTime + frames / (media.fps || 25));
    },
  };
}
