// How the model reads a prompt, below its field: looks, unknown words, and looks to choose instead.

import { request } from "./api.js";
import { createElement } from "./dom.js";

const PAUSE_MS = 150; // after a change of the prompt

/** Shows the reading of one prompt. onChoose(look): called when the user chooses a suggestion. */
export class Reading {
  #element;
  #onChoose;
  #text = null;
  #timer = null;

  constructor(element, onChoose) {
    this.#element = element;
    this.#onChoose = onChoose;
  }

  /** Show how this text is read; nothing if it is null. again: ask even if it is the same text. */
  show(text, { again = false } = {}) {
    if (text === this.#text && !again) return;
    this.#text = text;
    clearTimeout(this.#timer);
    if (text === null) this.#render(null);
    else this.#timer = setTimeout(() => this.#ask(text), PAUSE_MS);
  }

  async #ask(text) {
    const answer = await request(`api/reading?${new URLSearchParams({ prompt: text })}`).catch(() => null);
    if (text === this.#text) this.#render(answer?.reading ?? null);
  }

  /** reading: null for a model that takes any prompt. */
  #render(reading) {
    this.#element.hidden = !reading;
    if (!reading) return;
    this.#element.dataset.known = String(reading.replacement === null);
    const buttons = reading.suggestions.map((look) => {
      const button = createElement("button", { type: "button", className: "quiet" }, look);
      button.addEventListener("click", () => this.#onChoose(look));
      return button;
    });
    const nearest = buttons.length ? [createElement("span", {}, "Nearest looks:"), ...buttons] : [];
    this.#element.replaceChildren(createElement("span", {}, sentences(reading)), ...nearest);
  }
}

function sentences({ looks, unknown, photograph, replacement }) {
  const words = unknown.slice(0, 8).join(", ");
  const notKnown = unknown.length ? ` The model does not know: ${words}.` : "";
  if (photograph) return `Read as a photograph: the picture stays nearly as it is.${notKnown}`;
  if (replacement !== null) return `This names no look of the model: ${replacement} is shown instead.${notKnown}`;
  return `Read as ${looks.join(" + ")}.${notKnown}`;
}
