// The orders of the list.

export const SORTS = {
  file: "As in the file",
  worst: "Worst first",
  best: "Best first",
  disagreement: "Most disagreement",
  longest: "Longest first",
  recent: "Recently annotated",
};

// A number per clip, the first one the smallest; NaN where it is not known
const SORT_KEYS = {
  worst: ({ columns, focus }) => (clip) => columns.meanF(clip, focus),
  best: ({ columns, focus }) => (clip) => -columns.meanF(clip, focus),
  disagreement: ({ columns }) => (clip) => -columns.disagreement[clip],
  longest: ({ columns }) => (clip) => -columns.durations[clip],
  recent: ({ columns }) => (clip) => -Date.parse(columns.annotation(clip)?.time),
};

// All positions in the order that a Filter has chosen, which keeps them; null: as they come. What is unknown is last.
export function sortedClips(filter) {
  const { sort, focus, orders, columns } = filter;
  if (sort === "file") return null;
  const name = sort === "worst" || sort === "best" ? `${sort} ${focus}` : sort;
  if (!orders.has(name)) {
    const keyOf = SORT_KEYS[sort](filter);
    const key = new Float64Array(columns.n);
    for (let clip = 0; clip < columns.n; clip++) {
      const value = keyOf(clip);
      key[clip] = value === value ? value : Infinity;
    }
    const order = Uint32Array.from(key, (_, clip) => clip);
    orders.set(name, order.sort((one, other) => (key[one] === key[other] ? one - other : key[one] - key[other])));
  }
  return orders.get(name);
}
