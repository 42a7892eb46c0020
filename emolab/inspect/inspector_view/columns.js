// The `index` answer as columns: typed arrays and lists of words, no object per clip.

export const SAID = 0;
export const MATCHED = 1;
export const MISSED = 2;
export const SPURIOUS = 3;
export const SIGNS = ["·", "✓", "−", "+"];
export const SIGN_NAMES = ["said", "matched", "missed", "spurious"];
export const NOT_ASKED = 0;
export const ANSWERED = 1;
export const FAILED = 2;

const utf8 = new TextDecoder();

// Buffers come as ArrayBuffer or as a view into a larger one, at any offset
function bytesOf(buffer) {
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer)
    : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

export const typed = (buffer, Type) => new Type(bytesOf(buffer).slice().buffer); // a copy is aligned

const lines = (buffer, n) => (n ? utf8.decode(bytesOf(buffer)).split("\n") : []);
const codesOf = (list, n) => Int32Array.from({ length: n }, (_, each) => list?.[each] ?? -1);

export class Columns {
  constructor(message, buffers) {
    const [ids, split, corpus, offsets, chips, status, f, disagreement, truth] = buffers;
    this.n = message.n;
    this.title = message.corpus;
    this.models = message.models;
    this.m = message.models.length;
    this.labels = message.labels;
    this.groups = message.groups;
    this.groupOf = codesOf(message.group_of, message.labels.length);
    this.sectors = message.sectors;
    this.sectorOf = codesOf(message.sector_of, message.labels.length);
    this.splits = message.splits;
    this.corpora = message.corpora;
    this.looks = message.looks ?? [];
    this.writable = Boolean(message.writable);
    this.author = message.author ?? "";
    this.named = Boolean(message.named); // the author, by whoever opened the inspector
    this.live = message.live ?? null;
    this.against = message.against ?? "corpus";
    this.note = message.note ?? "";
    this.ids = lines(ids, this.n);
    this.texts = null; // until they have been asked for
    this.split = typed(split, Uint8Array);
    this.corpus = typed(corpus, Uint8Array);
    this.offsets = typed(offsets, Uint32Array);
    this.codes = typed(chips, Uint32Array); // label * 4 + sign
    this.states = typed(status, Uint8Array);
    this.scores = typed(f, Float32Array);
    this.disagreement = typed(disagreement, Float32Array);
    this.truths = typed(truth, Uint8Array);
    this.durations = new Float32Array(this.n).fill(NaN);
    this.annotations = new Map();
    for (const [position, row] of Object.entries(message.annotations)) this.annotations.set(Number(position), row);
  }

  id(clip) {
    return this.ids[clip];
  }

  text(clip) {
    return this.texts ? this.texts[clip] : "";
  }

  setTexts(buffer) {
    this.texts = lines(buffer, this.n);
  }

  // Codes (label * 4 + sign) of a clip: slot 0 is the truth, k + 1 what model k said and missed
  chips(clip, slot) {
    const at = clip * (this.m + 1) + slot;
    return this.codes.subarray(this.offsets[at], this.offsets[at + 1]);
  }

  words(clip, slot) {
    return Array.from(this.chips(clip, slot), (chip) => this.labels[chip >>> 2]);
  }

  status(clip, model) {
    return this.states[clip * this.m + model];
  }

  f(clip, model) {
    return this.scores[clip * this.m + model];
  }

  hasTruth(clip) {
    return this.truths[clip] === 1;
  }

  annotation(clip) {
    return this.annotations.get(clip);
  }

  // Mean F of the clip over the models that have one, or of one model; NaN unknown
  meanF(clip, model = null) {
    if (model !== null) return this.f(clip, model);
    let sum = 0;
    let count = 0;
    for (let at = clip * this.m; at < (clip + 1) * this.m; at++) {
      if (this.scores[at] === this.scores[at]) (sum += this.scores[at]), count++;
    }
    return count ? sum / count : NaN;
  }

  // Whether the labels of the annotation differ from the truth
  changed(clip) {
    const labels = this.annotations.get(clip)?.labels;
    if (!labels) return false;
    const truth = new Set(this.words(clip, 0));
    return labels.length !== truth.size || labels.some((label) => !truth.has(label));
  }
}
