// Who changed the labels of the open clip, when, and how.

import { make } from "./dom.js";

// What a row did, seen from the row before
function changeOf(row, before, truth) {
  const [old, now] = [before?.labels ?? truth, row.labels ?? truth];
  const parts = [];
  if (row.undoes) parts.push("undone:");
  if (!row.labels && before?.labels) parts.push("back to the corpus labels");
  for (const label of now) if (!old.includes(label)) parts.push(`+ ${label}`);
  for (const label of old) if (!now.includes(label)) parts.push(`− ${label}`);
  if (row.note !== (before?.note ?? "")) parts.push(row.note ? `note “${row.note}”` : "note removed");
  return parts.join(" ") || "confirmed as it was";
}

// -> fill(rows, truth): rows of annotations, the oldest first; `truth`: the labels of the corpus
export function historyFold(parent) {
  const fold = make("details", "ei-fold", undefined, parent);
  const title = make("summary", "", "", fold);
  const lines = make("div", "ei-fold-body ei-history", undefined, fold);
  lines.tabIndex = 0; // what is long scrolls, by key too
  lines.setAttribute("role", "group");
  lines.setAttribute("aria-label", "History");

  return (rows, truth) => {
    fold.hidden = !rows.length;
    title.textContent = `History (${rows.length})`;
    lines.replaceChildren();
    rows.forEach((row, each) => {
      const line = make("p");
      make("time", "ei-faint", new Date(row.time).toLocaleString(), line).dateTime = row.time;
      make("bdi", "ei-who", row.author || "nobody", line);
      make("bdi", "", changeOf(row, rows[each - 1], truth), line);
      lines.prepend(line); // the latest first
    });
  };
}
