// What the panes share about the open clip: when to ask for it, and the one `clip` answer that all of them read.

import { keepKeys } from "./focus.js";

const DETAIL_REST = 120; // ms that a clip stays open until the kernel is asked: keys are faster than it answers

const detailAnswers = new WeakMap(); // app -> the latest {index, position, answer}

// Calls `blank(position)` at once when another clip opens and `load(position, still)` when it has rested; `still()`
// says whether its answers are wanted. With `again` a new index (another truth, say) counts as another clip.
export function followClip(app, { blank, load, again = false }) {
  let shown;
  let turn = 0;
  let timer;

  function follow() {
    const id = app.index && app.position !== undefined ? app.index.id(app.position) : undefined;
    if (id === shown && !again) return;
    shown = id;
    clearTimeout(timer);
    const mine = ++turn;
    const { position } = app;
    keepKeys(() => blank(position));
    if (id !== undefined) timer = setTimeout(load, DETAIL_REST, position, () => mine === turn);
  }

  app.on("clip", follow);
  app.on("index", follow);
  app.on("end", () => {
    clearTimeout(timer);
    turn += 1;
  });
}

// The kernel's `clip` answer, asked once for all panes
export function askDetail(app, position) {
  const known = detailAnswers.get(app);
  if (known?.index === app.index && known.position === position) return known.answer;
  const answer = app.ask({ kind: "clip", position }).then(({ message }) => message);
  detailAnswers.set(app, { index: app.index, position, answer });
  answer.catch(() => detailAnswers.delete(app));
  return answer;
}

// The labels that the corpus gives the open clip: the truth, unless annotations are the truth at the moment
export function corpusLabels(app, detail) {
  if (!detail) return app.index.words(app.position, 0);
  return detail.clip.labels ?? [];
}
