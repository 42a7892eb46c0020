// What all annotations are for: files to take along, and a truth to compare the models with.

import { make, button, fillSelect, select } from "./dom.js";
import { keepKeys } from "./focus.js";

// format -> its name, its type for the browser
const EXPORTS = {
  jsonl: ["JSONL", "application/jsonl"],
  csv: ["CSV", "text/csv"],
  messages: ["ms-swift messages", "application/jsonl"],
};
const EXPORT_TRUTHS = [["corpus", "corpus labels"], ["annotations", "annotations"]];
const EXPORT_KEPT = 60000; // ms that a file stays: the browser may ask where to put it

export function exportFold(app, parent) {
  const fold = make("details", "ei-fold", undefined, parent);
  make("summary", "", "Export, compare", fold);
  const row = make("div", "ei-row ei-exports", undefined, fold);
  const buttons = Object.entries(EXPORTS).map(([format, [name]]) => button(row, name, () => save(format)));
  const comparing = make("label", "ei-faint", "compare models with ", row);
  const against = select(comparing, "Compare models with", compare);
  fillSelect(against, EXPORT_TRUTHS);
  const written = make("p", "ei-faint ei-path", "", fold);

  async function save(format) {
    written.textContent = "writing …";
    try {
      const { message, buffers } = await app.ask({ kind: "export", format });
      written.textContent = message.text;
      written.title = message.path;
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: EXPORTS[format][1] }));
      const link = make("a");
      link.href = url;
      link.download = message.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), EXPORT_KEPT);
    } catch (error) {
      written.textContent = "";
      app.say(error.message, true);
    }
  }

  async function compare(who) {
    try {
      await app.ask({ kind: "against", who });
    } catch (error) {
      against.value = app.index.against;
      app.say(error.message, true);
    }
  }

  function enable() {
    keepKeys(() => [...buttons, against].forEach((each) => (each.disabled = app.fixed || !app.alive)));
  }

  app.on("alive", enable);
  app.on("index", () => {
    against.value = app.index.against;
    enable();
  });
}
