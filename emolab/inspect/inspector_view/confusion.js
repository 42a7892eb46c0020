// Which sectors of the wheel a model misses and what it says instead, over the clips shown; a cell filters the list.

import { fillSelect, grouped, make, button, select } from "./dom.js";
import { countConfusion } from "./tally.js";

export function confusionView(app, element) {
  const head = make("div", "ei-row-of", undefined, element);
  make("h4", "", "Confusion of sectors", head);
  let model = 0;
  const choose = select(head, "Confusion of model", (value) => ((model = Number(value)), refresh()));
  make("span", "ei-grow", undefined, head);
  const close = button(head, "Close", () => app.showConfusion(false), "Escape");
  const about = make("p", "ei-faint", undefined, element);
  const scroller = make("div", "ei-matrix", undefined, element);

  function build() {
    const names = app.index.models.map(({ name }, each) => [String(each), name.slice(0, 80)]);
    fillSelect(choose, names, String(app.filter.focus ?? model));
    model = Math.max(0, choose.selectedIndex);
  }

  function refresh() {
    if (element.hidden) return;
    const { sectors } = app.index;
    const size = sectors.length;
    if (!size || !app.index.m) {
      about.textContent = app.index.m ? "No label lies in a sector of the wheel." : "There are no models to compare.";
      return scroller.replaceChildren();
    }
    const { order } = app.filter.result;
    about.textContent =
      `${grouped(order.length)} clips shown. Row: a sector with a true label that is missed; column: a sector with a ` +
      "spurious label in the same clip; on the diagonal: clips with a matched label. A clip counts in several cells.";
    const cells = countConfusion(app.filter, model);
    const most = [0, 0]; // off and on the diagonal, which have shades of their own
    cells.forEach((clips, at) => {
      const kind = Number(at % (size + 1) === 0);
      most[kind] = Math.max(most[kind], clips);
    });
    const held = document.activeElement?.dataset.cell;
    const table = make("table", "");
    const top = make("tr", "", undefined, make("thead", "", undefined, table));
    make("th", "ei-faint", "missed ↓ spurious →", top);
    for (const sector of sectors) make("span", "", sector, make("th", "ei-column", undefined, top)).title = sector;
    const body = make("tbody", "", undefined, table);
    sectors.forEach((missed, row) => {
      const line = make("tr", "", undefined, body);
      make("th", "", missed, line).title = missed;
      sectors.forEach((spurious, column) => cell(line, row, column, cells[row * size + column], most, held));
    });
    scroller.replaceChildren(table);
    if (held) scroller.querySelector(`[data-cell="${held}"]`)?.focus({ preventScroll: true });
  }

  function cell(line, row, column, clips, most, held) {
    const [missed, spurious] = [app.index.sectors[row], app.index.sectors[column]];
    const same = row === column;
    const token = { kind: "confusion", model, missed: row, spurious: column };
    const on = app.filter.isOn(token);
    const act = on ? app.removeToken : app.filterBy;
    const entry = button(make("td", "", undefined, line), clips ? grouped(clips) : "·", () => act(token));
    entry.className = same ? "ei-cell ei-same" : "ei-cell";
    entry.dataset.cell = `${row}-${column}`;
    entry.disabled = !clips && !on;
    entry.setAttribute("aria-pressed", on);
    const said = same ? `${missed} matched` : `${missed} missed, ${spurious} spurious`;
    entry.setAttribute("aria-label", `${said}: ${clips} clips`);
    entry.title = `${said}: ${clips} clips`;
    entry.style.setProperty("--share", `${Math.round((70 * clips) / (most[Number(same)] || 1))}%`);
  }

  return { build, refresh, focus: () => choose.focus(), close };
}
