// The keys of the inspector as a sheet of help, and where keys belong to a field.

import { button, make } from "./dom.js";

const KEYS = [
  ["↑ ↓ or k j", "the clip before, the next clip"],
  ["Page ↑ ↓, Home, End", "faster through the list"],
  ["Space", "play, pause"],
  ["← →", "one frame back, on"],
  ["1 – 9", "put this label in or out"],
  ["n", "write a note"],
  ["u", "undo the last change"],
  ["x", "mark this clip (view.selected has the marked ones)"],
  ["/", "search"],
  ["c", "clear all filters"],
  ["Esc", "leave a field, close a sheet"],
  ["?", "this help"],
];

const MOVES = /^(Arrow|Page|[jk]$)/;
const SCROLLS = /^(ArrowUp|ArrowDown|PageUp|PageDown|Home|End| )$/;
const HELP_SIGNS =
  "✓ matched: said and true. − missed: true, not said. + spurious: said, not true. · of the truth, or no truth known.";

// Whether keys typed here are text or choose something
export function isField(element) {
  if (element.isContentEditable || ["TEXTAREA", "SELECT"].includes(element.tagName)) return true;
  return element.tagName === "INPUT" && !["checkbox", "radio", "button", "file"].includes(element.type);
}

// Whether the focus is on a text that is longer than its box
function scrolls(element, root) {
  const box = element.closest("[tabindex='0']:not([role='listbox'])");
  return Boolean(box) && box !== root && root.contains(box) && box.scrollHeight > box.clientHeight + 1;
}

export function helpSheet(root) {
  const sheet = make("div", "ei-help", undefined, root);
  sheet.setAttribute("role", "dialog");
  sheet.setAttribute("aria-label", "Keys");
  sheet.setAttribute("aria-modal", "true");
  sheet.hidden = true;
  const card = make("div", "ei-card", undefined, sheet);
  make("h4", "", "Keys", card);
  const table = make("table", "", undefined, card);
  for (const [keys, text] of KEYS) {
    const line = make("tr", "", undefined, table);
    make("kbd", "", keys, make("th", "", undefined, line));
    make("td", "", text, line);
  }
  make("p", "ei-faint", HELP_SIGNS, card);
  make("p", "ei-faint", "A click on a label filters the list by it; Shift and click by its family.", card);
  const close = button(card, "Close", () => show(false)); // all that can have the focus in it
  sheet.addEventListener("keydown", (event) => event.key === "Tab" && event.preventDefault());
  let before = null;

  function show(yes) {
    if (yes && sheet.hidden) before = document.activeElement;
    sheet.hidden = !yes;
    if (yes) close.focus({ preventScroll: true });
    else if (root.contains(before)) before.focus({ preventScroll: true });
    else root.focus({ preventScroll: true });
  }

  sheet.addEventListener("click", (event) => event.target === sheet && show(false));
  return {
    show,
    get open() {
      return !sheet.hidden;
    },
  };
}

// acts: key -> what it does, of keys that no field has; `leave(event)` is Escape. Without modifiers, which are others'.
export function listenKeys(root, acts, leave) {
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // also from fields: JupyterLab listens above
    if ((event.ctrlKey || event.metaKey) && event.key === "s") event.preventDefault(); // no "save page" of the browser
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape") return leave(event);
    if (isField(event.target)) return;
    if (SCROLLS.test(event.key) && scrolls(event.target, root)) return; // a long text is read by key too
    if (event.key === " " && event.target.closest("button, summary, input, a")) return; // presses that one
    if (!acts[event.key]) return;
    event.preventDefault();
    if (event.repeat && !MOVES.test(event.key)) return; // a held key writes no second annotation
    acts[event.key]();
  });
}
