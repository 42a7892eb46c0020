// Counts over the clips that a Filter shows.

import { MATCHED, MISSED, SPURIOUS } from "./columns.js";
import { slotRange } from "./filter.js";

// Clips that each option of a facet would leave, under all other facets: by code, or by place in its options
export function countOptions(filter, name) {
  const { bit, value, options, codes, all } = filter.facets[name];
  const { fails } = filter;
  const clips = new Uint32Array(256);
  for (let clip = 0; clip < value.length; clip++) if (!(fails[clip] & ~bit)) clips[value[clip]]++;
  if (codes) return clips;
  return options.map((_, option) => {
    const passes = all ? filter.passing(name, [option]) : null;
    let sum = 0;
    for (let number = 0; number < 256; number++) {
      if (passes ? passes[number] : number & (1 << option)) sum += clips[number];
    }
    return sum;
  });
}

// Clips shown with each family and each sector, in this slot and sign as Filter.scan reads them
export function countWords(filter, slot, sign) {
  const { codes, offsets, m, groups, sectors, groupOf, sectorOf } = filter.columns;
  const { order } = filter.result;
  const [from, to] = slotRange(slot, m);
  const count = (codeOf, size) => {
    const found = new Uint32Array(size);
    const seen = new Int32Array(size).fill(-1); // the last clip that was counted
    for (const clip of order) {
      const end = offsets[clip * (m + 1) + to];
      for (let at = offsets[clip * (m + 1) + from]; at < end; at++) {
        const chip = codes[at];
        const code = codeOf[chip >>> 2];
        if (code < 0 || seen[code] === clip || (sign === null ? (chip & 3) === MISSED : (chip & 3) !== sign)) continue;
        seen[code] = clip;
        found[code]++;
      }
    }
    return found;
  };
  return { groups: count(groupOf, groups.length), sectors: count(sectorOf, sectors.length) };
}

// Clips shown by sector missed (row) and sector said instead (column); on the diagonal those where it is matched
export function countConfusion(filter, model) {
  const { columns } = filter;
  const { codes, offsets, m, sectorOf } = columns;
  const size = columns.sectors.length;
  const cells = new Uint32Array(size * size);
  const seen = Array.from({ length: 4 }, () => new Int32Array(size).fill(-1)); // per sign: the last clip of a sector
  const found = Array.from({ length: 4 }, () => new Int32Array(size)); // per sign: the sectors of this clip
  const count = new Int32Array(4);
  for (const clip of filter.result.order) {
    count.fill(0);
    const end = offsets[clip * (m + 1) + model + 2];
    for (let at = offsets[clip * (m + 1) + model + 1]; at < end; at++) {
      const sign = codes[at] & 3;
      const sector = sectorOf[codes[at] >>> 2];
      if (sector < 0 || seen[sign][sector] === clip) continue;
      seen[sign][sector] = clip;
      found[sign][count[sign]++] = sector;
    }
    for (let each = 0; each < count[MATCHED]; each++) cells[found[MATCHED][each] * (size + 1)]++;
    for (let each = 0; each < count[MISSED]; each++) {
      const row = found[MISSED][each];
      for (let other = 0; other < count[SPURIOUS]; other++) {
        const column = found[SPURIOUS][other];
        if (row !== column) cells[row * size + column]++;
      }
    }
  }
  return cells;
}
