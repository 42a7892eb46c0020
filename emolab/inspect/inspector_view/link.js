// Messages to and from Python: one promise per request, broadcasts, and whether the kernel still answers.

const BEAT = 5000; // ms of quiet after which a ping is sent
const PATIENCE = 6000; // ms without any answer until the kernel counts as gone
const LONG = ["convert", "durations", "live", "against", "export"]; // answered out of turn (inspector.py)
const SHARED = ["annotated", "index", "marked", "converting", "durations", "live_progress"]; // for every view

// heard(message, buffers): a shared message that answers no request of ours; alive(yes): the kernel (no longer) answers
export function connect(model, heard, alive) {
  const view = Math.random().toString(36).slice(2); // answers reach all views of a widget
  const waiting = new Map(); // request -> {resolve, reject, sent}
  let counter = 0;
  let answers = true;
  let lastHeard = Date.now();
  let lastTick = Date.now();
  let ping = null; // when the one under way was sent

  function ask(message, buffers = []) {
    return new Promise((resolve, reject) => {
      const request = `${view} ${++counter}`;
      waiting.set(request, { resolve, reject, sent: Date.now(), long: LONG.includes(message.kind) });
      if (send({ ...message, request }, buffers)) return;
      waiting.delete(request);
      reject(new Error("The kernel that made this view has ended."));
    });
  }

  // Needs no answer
  function tell(message, buffers = []) {
    send({ ...message, request: `${view} ${++counter}` }, buffers);
  }

  // JupyterLab throws where the kernel has been restarted
  function send(message, buffers) {
    try {
      model.send(message, undefined, buffers);
      return true;
    } catch {
      setAlive(false);
      return false;
    }
  }

  function onMessage(message, buffers = []) {
    const due = waiting.get(message.request);
    if (!due && !SHARED.includes(message.kind)) return;
    if (message.kind === "index" && !due && message.request) return; // what another view opened
    lastHeard = Date.now();
    setAlive(true);
    if (!due) return heard(message, buffers);
    if (!due.long) forgetBefore(message.request);
    waiting.delete(message.request);
    if (message.kind === "problem") due.reject(new Error(message.text));
    else due.resolve({ message, buffers });
  }

  // The kernel answers in turn: what was asked before this and has no answer was lost on the way.
  function forgetBefore(request) {
    for (const [earlier, { reject, long }] of waiting) {
      if (earlier === request) return;
      if (long) continue;
      waiting.delete(earlier);
      reject(new Error("No answer came from the kernel: the connection lost it. Do it again."));
    }
  }

  function setAlive(yes) {
    if (yes === answers) return;
    answers = yes;
    alive(yes);
  }

  function beat() {
    const now = Date.now();
    if (now - lastTick > BEAT) lastHeard = now; // the machine or the tab has slept
    lastTick = now;
    if (document.hidden) return;
    const oldest = waiting.values().next().value?.sent ?? now;
    if (now - Math.max(oldest, lastHeard) > PATIENCE) setAlive(false);
    const again = ping !== null && !answers && now - ping > 2 * PATIENCE; // the kernel that had it may have ended
    if ((ping === null && now - lastHeard >= BEAT) || again) {
      const own = (ping = now);
      const done = () => {
        if (ping === own) ping = null;
      };
      ask({ kind: "ping" }).then(done, done);
    }
  }

  const clock = setInterval(beat, 1000);
  model.on("msg:custom", onMessage);
  return {
    ask,
    tell,
    close() {
      clearInterval(clock);
      model.off("msg:custom", onMessage);
      waiting.clear();
    },
  };
}
