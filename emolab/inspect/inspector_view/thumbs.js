// Small pictures of clips, asked for in batches where the list has come to rest.

import { later } from "./dom.js";

const THUMBS_ASKED = 16; // of one request
const THUMBS_KEPT = 400;

// As object URLs; "" where a clip has none
export function thumbStore(app, arrived) {
  const urls = new Map(); // the latest used last
  let wanted = [];
  let asking = false;

  async function ask() {
    const positions = wanted.filter((clip) => !urls.has(clip)).slice(0, THUMBS_ASKED);
    if (asking || !positions.length) return;
    asking = true;
    try {
      const { buffers } = await app.ask({ kind: "thumbs", positions });
      positions.forEach((clip, each) => keep(clip, buffers[each]));
      arrived(positions);
    } catch {
      for (const clip of positions) urls.set(clip, ""); // a clip without a picture stays usable
    }
    asking = false;
    ask();
  }

  function keep(clip, bytes) {
    urls.set(clip, bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "");
    if (urls.size <= THUMBS_KEPT) return;
    const [oldest, url] = urls.entries().next().value;
    urls.delete(oldest);
    URL.revokeObjectURL(url);
  }

  const rest = later(90, ask);
  return {
    get(clip) {
      const url = urls.get(clip);
      if (url !== undefined) {
        urls.delete(clip);
        urls.set(clip, url);
      }
      return url;
    },
    want(positions) {
      wanted = positions;
      rest();
    },
    end() {
      rest.stop();
      wanted = [];
      for (const url of urls.values()) URL.revokeObjectURL(url);
      urls.clear();
    },
  };
}
