// The prompt, and a second one mixed in by weight.

import { fill } from "./dial-kinds.js";
import { byId } from "./dom.js";

const TYPING_MS = 400; // after the last key, the prompt is meant

/** The prompt fields, for the setting `prompt`: a list of [text, weight]. */
export class Prompts {
  #settings;
  #looks;
  #first = byId("prompt");
  #second = byId("second-prompt");
  #share = byId("share-of-second");
  #timer = null;

  constructor(settings, looks) {
    this.#settings = settings;
    this.#looks = looks;
    for (const field of [this.#first, this.#second]) {
      field.addEventListener("input", () => this.#soon());
      field.addEventListener("change", () => this.#want());
    }
    this.#share.addEventListener("input", () => this.#want());
    byId("second-toggle").addEventListener("click", () => this.#toggle());
    settings.addEventListener("change", ({ detail }) => detail.names.includes("prompt") && this.#show());
    this.#show();
  }

  /** Take this look as the first prompt. */
  choose(look) {
    this.#first.value = look;
    this.#want();
  }

  get #open() {
    return !byId("second").hidden;
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#want(), TYPING_MS);
  }

  #want() {
    clearTimeout(this.#timer);
    this.#words();
    const text = this.#first.value.trim();
    if (!text) return;
    const other = this.#open ? this.#second.value.trim() : "";
    const share = Number(this.#share.value);
    const rounded = (weight) => Math.round(weight * 100) / 100;
    this.#settings.want({ prompt: other ? [[text, rounded(1 - share)], [other, share]] : [[text, 1]] });
    this.#looks.mark(text);
  }

  #toggle() {
    this.#disclose(!this.#open);
    if (this.#open) this.#second.focus();
    this.#want();
  }

  #disclose(open) {
    byId("second").hidden = !open;
    const button = byId("second-toggle");
    button.setAttribute("aria-expanded", String(open));
    button.querySelector("span").textContent = open ? "Without a second prompt" : "Mix in a second prompt";
    button.querySelector("use").setAttribute("href", `icons.svg#${open ? "minus" : "plus"}`);
  }

  /** Show the setting, but leave a field alone while it is typed in. */
  #show() {
    const [[text, weight], other] = this.#settings.values.prompt;
    this.#put(this.#first, text);
    if (other) {
      this.#disclose(true);
      this.#put(this.#second, other[0]);
      if (document.activeElement !== this.#share) this.#share.value = other[1] / (weight + other[1]);
    } else if (this.#second.value.trim()) {
      this.#disclose(false);
    }
    this.#words();
    this.#looks.mark(text);
  }

  #put(field, text) {
    if (document.activeElement !== field) field.value = text;
  }

  #words() {
    byId("share-words").textContent = `${Math.round(this.#share.value * 100)} %`;
    fill(this.#share);
  }
}
