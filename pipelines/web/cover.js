// The overlay while there is no video: welcome, progress and errors.

import { byId } from "./dom.js";

const PARTS = ["progress", "token", "sources", "again"];

/** Shows a title, a text and some of its parts: the progress bar, the field for the token, the
 * sources, "Try again". Events "again" and "token" (`detail`: the entered token). */
export class Cover extends EventTarget {
  constructor() {
    super();
    byId("cover-again").addEventListener("click", () => this.dispatchEvent(new CustomEvent("again")));
    byId("cover-token").addEventListener("submit", (event) => {
      event.preventDefault();
      const detail = byId("token").value.trim();
      byId("token").value = "";
      this.dispatchEvent(new CustomEvent("token", { detail }));
    });
  }

  show([title, text], ...parts) {
    byId("cover").hidden = false;
    byId("banner").hidden = true;
    setText("cover-title", title);
    setText("cover-text", text);
    for (const part of PARTS) byId(`cover-${part}`).hidden = !parts.includes(part);
  }

  /** Show a line over the last frame. */
  showBanner(text) {
    byId("banner").hidden = false;
    setText("banner", text);
  }

  hide() {
    byId("cover").hidden = byId("banner").hidden = true;
  }
}

/** Sets the text if it changed: screen readers read it out on every assignment. */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}
