// The places and controls of the playground.

import { button, make } from "./inspector_view/dom.js";
import { planeFigure } from "./playground_plane.js";

export const TONE = { "✓": "matched", "−": "missed", "+": "spurious" };

export function playgroundFrame(el) {
  const root = make("section", "emolab-playground", undefined, el);
  root.setAttribute("aria-label", "Fusion playground");
  root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab runs its own commands on the same keys
  const ui = { root };
  const head = make("header", "", undefined, root);
  ui.title = make("h3", "", "Fusion playground", head);
  ui.count = make("span", "ep-faint", "", head);

  const body = make("div", "ep-body", undefined, root);
  const left = make("div", "", undefined, body);
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

  const right = make("div", "", undefined, body);
  const figure = make("figure", "", undefined, right);
  ui.plane = planeFigure(figure);
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
