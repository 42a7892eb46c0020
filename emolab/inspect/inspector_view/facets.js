// The controls of the filter: search, model, order, quick signs, the panel of facets, pills of what is chosen.

import { MATCHED, MISSED, SIGN_NAMES, SIGNS, SPURIOUS } from "./columns.js";
import { button, fillSelect, grouped, later, make, select } from "./dom.js";
import { SORTS } from "./order.js";
import { countOptions, countWords } from "./tally.js";

const FAMILIES = 30; // shown until all are asked for
const QUICK = [
  ["signs", 0, "✓", "matched: a label that the model has right"],
  ["signs", 1, "−", "missed: a true label that the model does not say"],
  ["signs", 2, "+", "spurious: a label that is not true"],
  ["models", 0, "≠", "models disagree"],
  ["status", 0, "⚠", "error"],
  ["review", 0, "✎", "annotated"],
  ["marked", 0, "☑", "marked"],
];
const PANEL = [
  ["split", "Split", "splits"],
  ["corpus", "Corpus", "corpora"],
  ["status", "Answer"],
  ["models", "Models"],
  ["review", "Review"],
];
const PLACES = [
  ["any", "anywhere"],
  ["truth", "in the truth"],
  ["said", "said"],
  ...[MATCHED, MISSED, SPURIOUS].map((sign) => [String(sign), SIGN_NAMES[sign]]),
];

const facetText = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text) || "(none)";

// A token of the contract in words
function tokenText(index, token) {
  const name = (model) => index.models[model].name;
  if (token.kind === "confusion") {
    const [missed, spurious] = [token.missed, token.spurious].map((sector) => index.sectors[sector]);
    const said = missed === spurious ? `✓ ${missed}` : `− ${missed}, + ${spurious}`;
    return `${said} · ${name(token.model)}`;
  }
  const word = index[`${token.kind}s`][token.code];
  const kind = { label: "", group: "family ", sector: "sector " }[token.kind];
  const sign = token.sign ? `${SIGNS[token.sign]} ` : "";
  const places = new Map([[null, ""], [0, " · truth"], ["models", " · any model"]]);
  return `${sign}${kind}${facetText(word)}${places.get(token.slot) ?? ` · ${name(token.slot - 1)}`}`;
}

export function facetPanel(app, element) {
  const top = make("div", "ei-top", undefined, element);
  const search = make("input", "ei-search", undefined, top);
  search.type = "search";
  search.placeholder = "Search id, words, labels   /";
  search.setAttribute("aria-label", "Search in id, transcript and labels");
  const choices = make("div", "ei-choices", undefined, top);
  const focus = select(choices, "Signs and scores of", (value) => app.setFocus(value === "" ? null : Number(value)));
  const sort = select(choices, "Order", (value) => app.setSort(value));
  const quick = make("div", "ei-quick", undefined, top);
  const line = make("div", "ei-count", undefined, top);
  const count = make("span", "", "", line);
  count.setAttribute("role", "status");
  const clear = button(line, "Clear", () => app.clear(), "c");
  const pills = make("div", "ei-pills", undefined, top);
  const panel = make("details", "ei-panel", undefined, top);
  make("summary", "", "More filters", panel);
  const inside = make("div", "ei-inside", undefined, panel);
  let toggles = []; // {button, facet, option, count}
  let words = null; // the part with families and sectors
  let all = false; // every family is shown

  const searching = later(120, () => app.search(search.value));
  search.addEventListener("input", searching);
  panel.addEventListener("toggle", () => app.index && recount());

  function toggle(parent, facet, option, text, title) {
    const element = button(parent, undefined, () => app.toggle(facet, option));
    element.className = "ei-facet";
    make("span", "", text, element);
    const number = make("small", "", "", element);
    if (title) element.title = title;
    toggles.push({ element, facet, option, number, name: title || text });
  }

  // Another index: its models, splits and so on
  function build() {
    const { index } = app;
    toggles = [];
    quick.replaceChildren();
    inside.replaceChildren();
    const score = (avg) => (Number.isFinite(avg) ? ` · Avg ${(100 * avg).toFixed(1)}` : "");
    const names = index.models.map(({ name, avg }, model) => [String(model), facetText(name) + score(avg)]);
    fillSelect(focus, [["", "any model"], ...names], String(app.filter.focus ?? ""));
    for (const each of QUICK) toggle(quick, ...each);
    for (const [facet, title, list] of PANEL) {
      const options = list ? index[list] : app.filter.facets[facet].options;
      if (options.length < 2) continue;
      const group = inGroup(title);
      options.forEach((text, option) => toggle(group, facet, option, facetText(text)));
    }
    const group = make("div", "ei-wordlist", undefined, inside);
    const head = make("div", "ei-row-of", undefined, group);
    make("b", "", "Labels", head);
    const place = select(head, "Labels where", recount);
    fillSelect(place, PLACES);
    words = { group, place, sectors: inGroup("Sector", group), families: inGroup("Family", group) };
    words.more = button(group, "", () => ((all = !all), recount()));
  }

  function inGroup(title, parent = inside) {
    const group = make("div", "ei-group", undefined, parent);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", title);
    make("span", "ei-faint", title, group);
    return group;
  }

  // Where labels are looked for, as slot and sign of a token
  function where() {
    const slot = app.filter.focus === null ? "models" : app.filter.focus + 1;
    const place = words.place.value;
    if (place === "any") return [null, null];
    if (place === "truth") return [0, null];
    return [slot, place === "said" ? null : Number(place)];
  }

  function refresh() {
    const { index, filter } = app;
    const shown = filter.result.order.length;
    const active = filter.active;
    count.textContent = `${grouped(shown)} of ${grouped(index.n)} clips`;
    clear.disabled = !active;
    if (document.activeElement !== search) search.value = filter.words;
    focus.value = String(filter.focus ?? "");
    fillSelect(sort, Object.entries(SORTS).filter(([name]) => !(app.fixed && name === "longest")), filter.sort);
    for (const { element, facet, option } of toggles) element.setAttribute("aria-pressed", filter.has(facet, option));
    fillPills();
  }

  // How many clips each option would leave
  function recount() {
    const { filter } = app;
    const counts = {};
    for (const { element, facet, option, number, name } of toggles) {
      if (element.parentElement !== quick && !panel.open) continue;
      counts[facet] ??= countOptions(filter, facet);
      const clips = counts[facet][option];
      number.textContent = grouped(clips);
      element.setAttribute("aria-label", `${name}, ${clips} clips`);
      element.classList.toggle("ei-none", !clips && !filter.has(facet, option));
    }
    if (panel.open) fillWords();
  }

  function fillPills() {
    const { index, filter } = app;
    pills.replaceChildren();
    const pill = (text, remove) => {
      const element = button(pills, undefined, remove);
      element.className = "ei-pill";
      make("span", "", text, element);
      make("span", "", " ✕", element);
      element.setAttribute("aria-label", `remove filter ${text}`);
      element.title = text;
    };
    for (const token of filter.tokens) pill(tokenText(index, token), () => app.removeToken(token));
    for (const [facet, title, list] of PANEL) {
      for (const option of filter.facets[facet].chosen) {
        if (QUICK.some(([name, each]) => name === facet && each === option)) continue;
        const text = list ? index[list][option] : filter.facets[facet].options[option];
        pill(`${title.toLowerCase()}: ${facetText(text)}`, () => app.toggle(facet, option));
      }
    }
    pills.hidden = !pills.childElementCount;
  }

  function fillWords() {
    const { index, filter } = app;
    const held = document.activeElement?.dataset.word;
    const [slot, sign] = where();
    const found = countWords(filter, slot, sign);
    const fill = (parent, kind, names, clips, most) => {
      const tokens = names.map((_, code) => ({ kind, code, slot, sign }));
      const codes = [...names.keys()].filter((code) => clips[code] || filter.isOn(tokens[code]));
      codes.sort((one, other) => clips[other] - clips[one] || one - other);
      parent.replaceChildren(parent.firstChild);
      for (const code of codes.slice(0, most)) {
        const on = filter.isOn(tokens[code]);
        const act = on ? app.removeToken : app.filterBy;
        const entry = button(parent, undefined, () => act(tokens[code]));
        entry.className = "ei-facet";
        entry.dataset.word = `${kind} ${code}`;
        entry.setAttribute("aria-pressed", on);
        entry.title = names[code];
        make("span", "", facetText(names[code]), entry);
        make("small", "", grouped(clips[code]), entry);
        if (entry.dataset.word === held) entry.focus({ preventScroll: true });
      }
      parent.hidden = !codes.length;
      return codes.length;
    };
    fill(words.sectors, "sector", index.sectors, found.sectors);
    const families = fill(words.families, "group", index.groups, found.groups, all ? 500 : FAMILIES);
    words.more.hidden = families <= FAMILIES;
    words.more.textContent = all ? "Fewer families" : `All ${grouped(families)} families`;
  }

  // What to say where no clip is shown
  function nothing(place) {
    place.replaceChildren();
    if (!app.index.n) return void make("p", "", "There are no clips here.", place);
    make("p", "", "No clip passes all filters.", place);
    button(place, "Clear the filters", () => app.clear());
  }

  return { build, refresh, count: recount, nothing, focusSearch: () => search.select(), end: searching.stop };
}
