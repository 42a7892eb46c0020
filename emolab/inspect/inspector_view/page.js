// The page without a kernel (inspector_page.py): the same view, answered from what the page holds.

import { render } from "./main.js";

const PAGE_ONLY = "This page only shows; open the inspector in notebook 08 to play, annotate and predict.";

const NO_PICTURES = { times: [], frames: [], problem: "This page holds no pictures of this clip." };

const held = (id) => {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
};

const unpacked = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

// What the kernel would answer: [message, buffers]
const PAGE_ANSWERS = {
  open() {
    const { index, buffers } = held("ei-index");
    return [index, buffers.map(unpacked)];
  },
  texts: () => [{ kind: "texts" }, [unpacked(held("ei-texts"))]],
  clip: ({ position }) => [{ kind: "clip", position, ...held(`ei-clip-${position}`) }, []],
  thumbs({ positions }) {
    const pictures = positions.map((position) => held(`ei-pictures-${position}`)?.thumb ?? "");
    return [{ kind: "thumbs", positions }, pictures.map(unpacked)];
  },
  frames({ position, look }) {
    const found = held(`ei-pictures-${position}`)?.frames[look];
    const { about, pictures } = found ?? { about: NO_PICTURES, pictures: [] };
    return [{ kind: "frames", position, look, ...about }, pictures.map(unpacked)];
  },
  ping: () => [{ kind: "pong" }, []],
};

function pageModel() {
  const listeners = new Set();
  return {
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    send({ kind, request, ...rest }) {
      setTimeout(() => {
        const [message, buffers] = PAGE_ANSWERS[kind]?.(rest) ?? [{ kind: "problem", text: PAGE_ONLY }, []];
        for (const listener of listeners) listener({ ...message, request }, buffers);
      });
    },
  };
}

render({ model: pageModel(), el: document.querySelector("main") });
