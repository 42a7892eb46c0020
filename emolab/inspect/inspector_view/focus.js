// Keys go on working when what has the focus goes away: the inspector itself takes it.

export function keepKeys(act) {
  const held = document.activeElement;
  const root = held?.closest(".emolab-inspector");
  act();
  if (root && (!held.checkVisibility() || held.matches(":disabled"))) root.focus({ preventScroll: true });
}
