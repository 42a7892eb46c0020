// The middle: the open clip to see and hear, its frames and faces, and what was said in it.

import { make } from "./dom.js";
import { askDetail, followClip } from "./detail.js";
import { makePlayer } from "./player.js";
import { makeStrip } from "./strip.js";

export function clipPane(app, element) {
  element.classList.add("ei-clip");
  const name = make("h3", "ei-clip-name", undefined, element);
  const facts = make("div", "ei-facts", undefined, element);
  const player = makePlayer(app, element, (seconds) => strip.highlight(seconds));
  const transcript = make("p", "ei-text ei-transcript", "", element);
  const strip = makeStrip(app, element, player.seek);
  const description = make("details", "ei-fold", undefined, element);
  make("summary", "", "Description", description);
  const described = make("p", "ei-text", "", description);
  for (const each of [transcript, described]) {
    each.dir = "auto";
    each.tabIndex = 0; // a long one scrolls, by key too
  }
  transcript.setAttribute("aria-label", "Transcript");
  described.setAttribute("aria-label", "Description");

  function fillFacts(known) {
    facts.replaceChildren();
    for (const [key, value] of Object.entries(known)) {
      if (!value) continue;
      const fact = make("span", "ei-fact", undefined, facts);
      make("span", "ei-faint", `${key} `, fact);
      make("bdi", "", value, fact);
      fact.title = value;
    }
  }

  function fillTranscript(text) {
    transcript.textContent = text || "no transcript";
    transcript.classList.toggle("ei-faint", !text);
  }

  const fromIndex = (position) => ({
    split: app.index.splits[app.index.split[position]],
    corpus: app.index.corpora[app.index.corpus[position]],
  });

  function blank(position) {
    player.blank();
    strip.blank();
    description.hidden = true;
    const open = position !== undefined && app.index;
    for (const each of [name, facts, transcript]) each.hidden = !open;
    if (!open) return;
    name.replaceChildren(make("bdi", "", app.index.id(position)));
    name.title = app.index.id(position);
    fillFacts(fromIndex(position));
    fillTranscript(app.index.texts ? app.index.text(position) : "…");
  }

  async function load(position, still) {
    const texts = askDetail(app, position).then(({ clip }) => still() && fill(position, clip));
    texts.catch((error) => still() && app.say(error.message, true));
    if (app.fixed) return pictured(position, still);
    try {
      const { message } = await app.ask({ kind: "media", position });
      if (!still()) return;
      player.show(message, position, still);
      if (message.has_video || message.state === "still") strip.open(position, still);
      else strip.hide();
    } catch (error) {
      if (still()) player.tell(error.message);
    }
  }

  // In the page without a kernel
  async function pictured(position, still) {
    const detail = await askDetail(app, position);
    if (!still()) return;
    player.tell(detail.clip.video ? "The video plays in the notebook; this page holds pictures only." : "This clip has no video.");
    if (detail.clip.video) strip.open(position, still);
    else strip.hide();
  }

  function fill(position, clip) {
    const { speaker, language, emotion } = clip;
    fillFacts({ ...fromIndex(position), speaker, language, emotion });
    fillTranscript(clip.transcript);
    described.textContent = clip.description ?? "";
    description.hidden = !clip.description;
  }

  followClip(app, { blank, load });
  blank();
  return { toggle: player.toggle, step: player.step, seek: player.seek };
}
