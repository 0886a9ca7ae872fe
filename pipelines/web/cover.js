// What covers the picture while there is none: welcome, progress, and what is wrong.

import { byId } from "./dom.js";

const PARTS = ["progress", "token", "sources", "again"];

/** Shows a title, a text and some of the parts: a progress bar, the field for the token, the
 * sources, "Try again". Events "again" and "token" (`detail`: what was typed). */
export class Cover extends EventTarget {
  constructor() {
    super();
    byId("cover-again").addEventListener("click", () => this.dispatchEvent(new CustomEvent("again")));
    byId("cover-token").addEventListener("submit", (event) => {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("token", { detail: byId("token").value.trim() }));
    });
  }

  show([title, text], ...parts) {
    byId("cover").hidden = false;
    byId("banner").hidden = true;
    put("cover-title", title);
    put("cover-text", text);
    for (const part of PARTS) byId(`cover-${part}`).hidden = !parts.includes(part);
  }

  /** Over the picture that was last seen. */
  banner(text) {
    byId("banner").hidden = false;
    put("banner", text);
  }

  hide() {
    byId("cover").hidden = byId("banner").hidden = true;
  }
}

/** Only what changes: else the same words would be read out again and again. */
function put(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}
