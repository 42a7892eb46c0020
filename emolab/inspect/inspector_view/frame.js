// The places of the view: head, three panes, a sheet over two of them, foot.

import { make } from "./dom.js";

export function makeFrame(el) {
  const root = make("section", "emolab-inspector", undefined, el);
  root.setAttribute("aria-label", "Inspector of predictions");
  root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab runs its own commands on the same keys
  root.tabIndex = 0;
  const ui = { root };
  const head = make("header", "ei-head", undefined, root);
  ui.title = make("h3", "", "Inspector", head);
  ui.facts = make("div", "ei-facts-of ei-faint", "", head);
  ui.tools = make("div", "ei-tools", undefined, head);
  ui.banner = make("div", "ei-banner", "", root);
  ui.banner.setAttribute("role", "alert");
  ui.banner.hidden = true;
  ui.loading = make("div", "ei-loading", "Reading the clips …", root);
  ui.body = make("div", "ei-body", undefined, root);
  ui.body.hidden = true;
  ui.left = make("div", "ei-left", undefined, ui.body);
  ui.centre = make("div", "ei-centre", undefined, ui.body);
  ui.right = make("div", "ei-right", undefined, ui.body);
  ui.sheet = make("div", "ei-sheet", undefined, ui.body);
  ui.sheet.hidden = true;
  for (const [place, name] of [["centre", "Clip"], ["right", "Models and annotation"], ["sheet", "Confusion"]]) {
    ui[place].setAttribute("role", "region");
    ui[place].setAttribute("aria-label", name);
  }
  ui.spoken = make("div", "ei-spoken", "", root); // for screen readers: which clip is open
  ui.spoken.setAttribute("aria-live", "polite");
  const foot = make("footer", "ei-foot", undefined, root);
  ui.status = make("div", "ei-status", "", foot);
  ui.status.setAttribute("role", "status");
  return ui;
}
