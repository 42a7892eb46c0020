// Which clips are shown, and in which order.
// A facet gives every clip one small number and says which numbers pass. `fails` holds per clip the facets that it does
// not pass, as bits: options are counted (tally.js) over the clips that fail no other facet.

import { ANSWERED, FAILED, MATCHED, MISSED, NOT_ASKED, SPURIOUS } from "./columns.js";
import { sortedClips } from "./order.js";

const FACETS = {
  text: { options: ["found"] },
  split: { codes: true },
  corpus: { codes: true },
  signs: { options: ["matched", "missed", "spurious"], all: true }, // every chosen one has to be there
  status: { options: ["error", "not asked", "empty answer"] },
  models: { options: ["disagree", "agree"] },
  review: { options: ["annotated", "not annotated", "changed", "with note"] },
  marked: { options: ["marked"] },
  tokens: { options: ["found"] },
};

const sameToken = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// A list of words in another index: their codes there
function recode(token, old, now) {
  const code = (kind, each) => now[kind].indexOf(old[kind][each]);
  if (token.kind === "confusion") {
    const model = now.models.findIndex(({ name }) => name === old.models[token.model].name);
    return { ...token, model, missed: code("sectors", token.missed), spurious: code("sectors", token.spurious) };
  }
  return { ...token, code: code(`${token.kind}s`, token.code) };
}

// Slots [from, to) of a token: the truth and all models (null), all models, or a single one
export function slotRange(slot, models) {
  if (slot === null) return [0, models + 1];
  return slot === "models" ? [1, models + 1] : [slot, slot + 1];
}

export class Filter {
  // `old`: the filter of the index before, whose choices stay as far as they still mean something; `sort`: the order
  // to begin with
  constructor(columns, old, sort = "file") {
    this.columns = columns;
    this.focus = old && old.focus < columns.m ? old.focus : null; // the model that signs, status and F are of
    this.words = old?.words ?? "";
    this.sort = old?.sort ?? sort;
    this.marked = new Set([...(old?.marked ?? [])].filter((clip) => clip < columns.n));
    this.tokens = (old?.tokens ?? [])
      .map((token) => recode(token, old.columns, columns))
      .filter((token) => Object.values(token).every((value) => value !== -1));
    this.fails = new Uint32Array(columns.n);
    this.signsOf = null; // per clip and model: signs as bits, 8 where it said a label
    this.orders = new Map(); // sort and focus -> all positions
    this.facets = {};
    Object.entries(FACETS).forEach(([name, facet], bit) => {
      this.facets[name] = { ...facet, bit: 1 << bit, value: new Uint8Array(columns.n), chosen: new Set() };
    });
    for (const [name, { chosen }] of Object.entries(this.facets)) {
      const kept = old?.facets[name].chosen ?? [];
      const list = { split: "splits", corpus: "corpora" }[name];
      for (const each of kept) {
        const now = list ? columns[list].indexOf(old.columns[list][each]) : each;
        if (now >= 0) chosen.add(now);
      }
    }
    this.facets.split.value = columns.split;
    this.facets.corpus.value = columns.corpus;
    for (const name of Object.keys(FACETS)) this.refresh(name);
  }

  // --- changes; the caller then asks for the `result`
  toggle(name, option) {
    const { chosen } = this.facets[name];
    if (!chosen.delete(option)) chosen.add(option);
    this.apply(name);
  }

  has(name, option) {
    return this.facets[name].chosen.has(option);
  }

  search(words) {
    this.words = words;
    this.refresh("text");
  }

  add(token) {
    if (!this.tokens.some((each) => sameToken(each, token))) this.tokens.push(token);
    this.refresh("tokens");
  }

  remove(token) {
    this.tokens = this.tokens.filter((each) => !sameToken(each, token));
    this.refresh("tokens");
  }

  isOn(token) {
    return this.tokens.some((each) => sameToken(each, token));
  }

  setFocus(model) {
    this.focus = model;
    this.refresh("signs");
    this.refresh("status");
  }

  setSort(name) {
    this.sort = name;
    this.found = null;
  }

  mark(clip) {
    if (!this.marked.delete(clip)) this.marked.add(clip);
    this.refresh("marked");
  }

  markAll(clips) {
    this.marked = new Set(clips.filter((clip) => clip < this.columns.n));
    this.refresh("marked");
  }

  clear() {
    this.words = "";
    this.tokens = [];
    for (const { chosen } of Object.values(this.facets)) chosen.clear();
    this.fails.fill(0);
    this.found = null;
  }

  get active() {
    return Object.values(this.facets).some(({ chosen }) => chosen.size);
  }

  // What a facet is computed of has changed (also by annotations, marks or transcripts that arrived)
  refresh(name) {
    const { chosen, value } = this.facets[name];
    if (name === "text" || name === "tokens") {
      chosen.clear();
      if (name === "text" ? this.words.trim() : this.tokens.length) chosen.add(0);
    }
    if (name === "text" && chosen.size) this.findWords(value);
    else if (name === "tokens" && chosen.size) this.findTokens(value);
    else if (name === "signs") this.fillSigns(value);
    else if (name === "status") this.fillStatus(value);
    else if (name === "models") {
      const bitOf = (apart) => (apart > 0 ? 1 : apart === 0 ? 2 : 0); // NaN: fewer than two answers
      this.columns.disagreement.forEach((apart, clip) => (value[clip] = bitOf(apart)));
    } else if (name === "review") {
      this.fillReview(value);
      this.orders.delete("recent");
    } else if (name === "marked") {
      value.fill(0);
      for (const clip of this.marked) value[clip] = 1;
    }
    this.apply(name);
  }

  refreshDurations() {
    this.orders.delete("longest");
    this.found = null;
  }

  apply(name) {
    const { bit, value } = this.facets[name];
    const fail = this.passing(name).map((yes) => (yes ? 0 : bit));
    const { fails } = this;
    for (let clip = 0; clip < fails.length; clip++) fails[clip] = (fails[clip] & ~bit) | fail[value[clip]];
    this.found = null;
  }

  // Which of the 256 numbers pass, with one more option chosen
  passing(name, more = []) {
    const { chosen, codes, all } = this.facets[name];
    const wanted = new Set([...chosen, ...more]);
    const passes = new Uint32Array(256).fill(wanted.size ? 0 : 1);
    if (!wanted.size) return passes;
    const mask = [...wanted].reduce((sum, option) => sum | (1 << option), 0);
    for (let value = 0; value < 256; value++) {
      if (codes) passes[value] = wanted.has(value) ? 1 : 0;
      else passes[value] = (all ? (value & mask) === mask : value & mask) ? 1 : 0;
    }
    return passes;
  }

  // --- what is computed
  findWords(value) {
    const { columns } = this;
    const words = this.words.trim().toLowerCase();
    const wanted = Uint8Array.from(columns.labels, (label) => (label.toLowerCase().includes(words) ? 1 : 0));
    value.fill(0);
    if (wanted.includes(1)) this.scan(wanted, null, null, value, 1);
    if (!this.lowerIds) this.lowerIds = columns.ids.map((id) => id.toLowerCase());
    if (!this.lowerTexts && columns.texts) this.lowerTexts = columns.texts.map((text) => text.toLowerCase());
    const { lowerIds, lowerTexts } = this;
    for (let clip = 0; clip < columns.n; clip++) {
      if (!value[clip] && (lowerIds[clip].includes(words) || lowerTexts?.[clip].includes(words))) value[clip] = 1;
    }
  }

  findTokens(value) {
    const one = new Uint8Array(value.length);
    value.fill(1);
    for (const token of this.tokens) {
      one.fill(0);
      this.findToken(token, one);
      for (let clip = 0; clip < value.length; clip++) value[clip] &= one[clip];
    }
  }

  findToken(token, into) {
    const { labels, groupOf, sectorOf } = this.columns;
    if (token.kind === "confusion") {
      const inside = (sector) => Uint8Array.from(sectorOf, (each) => (each === sector ? 1 : 0));
      const slot = token.model + 1;
      if (token.missed === token.spurious) return this.scan(inside(token.missed), slot, MATCHED, into, 1);
      this.scan(inside(token.missed), slot, MISSED, into, 2);
      this.scan(inside(token.spurious), slot, SPURIOUS, into, 4);
      for (let clip = 0; clip < into.length; clip++) into[clip] = into[clip] === 6 ? 1 : 0;
      return;
    }
    const codes = { label: labels.map((_, code) => code), group: groupOf, sector: sectorOf }[token.kind];
    this.scan(Uint8Array.from(codes, (code) => (code === token.code ? 1 : 0)), token.slot, token.sign, into, 1);
  }

  // Adds `bit` for clips with a wanted label in these slots with this sign (null: true or said, not missed)
  scan(wanted, slot, sign, into, bit) {
    const { codes, offsets, m, n } = this.columns;
    const [from, to] = slotRange(slot, m);
    for (let clip = 0; clip < n; clip++) {
      const end = offsets[clip * (m + 1) + to];
      for (let at = offsets[clip * (m + 1) + from]; at < end; at++) {
        const chip = codes[at];
        if (wanted[chip >>> 2] && (sign === null ? (chip & 3) !== MISSED : (chip & 3) === sign)) {
          into[clip] |= bit;
          break;
        }
      }
    }
  }

  fillSigns(value) {
    const { codes, offsets, m, n } = this.columns;
    if (!this.signsOf) {
      this.signsOf = new Uint8Array(n * m);
      const bits = [8, 8 | 1, 2, 8 | 4];
      for (let clip = 0, entry = 0; clip < n; clip++) {
        for (let model = 0; model < m; model++, entry++) {
          const end = offsets[clip * (m + 1) + model + 2];
          for (let at = offsets[clip * (m + 1) + model + 1]; at < end; at++) this.signsOf[entry] |= bits[codes[at] & 3];
        }
      }
    }
    this.overModels(value, (entry) => this.signsOf[entry] & 7);
  }

  fillStatus(value) {
    const { states } = this.columns;
    this.overModels(value, (entry) => {
      if (states[entry] === FAILED) return 1;
      if (states[entry] === NOT_ASKED) return 2;
      return states[entry] === ANSWERED && !(this.signsOf[entry] & 8) ? 4 : 0;
    });
  }

  overModels(value, bitsOf) {
    const { m } = this.columns;
    const [from, to] = this.focus === null ? [0, m] : [this.focus, this.focus + 1];
    for (let clip = 0; clip < value.length; clip++) {
      let bits = 0;
      for (let model = from; model < to; model++) bits |= bitsOf(clip * m + model);
      value[clip] = bits;
    }
  }

  fillReview(value) {
    value.fill(2);
    for (const [clip, row] of this.columns.annotations) {
      value[clip] = (row.labels || row.note ? 1 : 2) | (this.columns.changed(clip) ? 4 : 0) | (row.note ? 8 : 0);
    }
  }

  // --- what is asked
  // {order: positions shown, place: per clip where it stands there or -1}
  get result() {
    if (this.found) return this.found;
    const { n } = this.columns;
    const all = sortedClips(this);
    const order = new Uint32Array(n);
    const place = new Int32Array(n).fill(-1);
    let count = 0;
    for (let at = 0; at < n; at++) {
      const clip = all ? all[at] : at;
      if (this.fails[clip]) continue;
      place[clip] = count;
      order[count++] = clip;
    }
    return (this.found = { order: order.subarray(0, count), place });
  }
}
