// Elements. All text is untrusted and enters the page through textContent and attributes that cannot run.

export function make(tag, className, text, parent) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// `key`: the key that does the same
export function button(parent, label, act, key) {
  const element = make("button", "", label, parent);
  element.type = "button";
  if (key) {
    element.setAttribute("aria-keyshortcuts", key);
    element.title = `key ${key}`;
  }
  element.addEventListener("click", act);
  return element;
}

export function select(parent, label, choose) {
  const element = make("select", "", undefined, parent);
  element.setAttribute("aria-label", label);
  element.addEventListener("change", () => choose(element.value));
  return element;
}

// entries: [[value, text]]; what was chosen stays chosen where it is still there
export function fillSelect(element, entries, chosen = element.value) {
  element.replaceChildren();
  for (const [value, text] of entries) make("option", "", text, element).value = value;
  element.value = chosen;
  if (element.selectedIndex < 0) element.selectedIndex = 0;
}

// A call after `pause` ms of rest; `.stop()` drops the one that is due
export function later(pause, act) {
  let timer;
  const call = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(act, pause, ...values);
  };
  call.stop = () => clearTimeout(timer);
  return call;
}

// One call before the next paint, however often it is asked for
export function onPaint(act) {
  let due = 0;
  const call = () => {
    if (!due) due = requestAnimationFrame(() => ((due = 0), act()));
  };
  call.stop = () => {
    cancelAnimationFrame(due);
    due = 0;
  };
  return call;
}

export const grouped = (number) => number.toLocaleString("en-US");
export const many = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
