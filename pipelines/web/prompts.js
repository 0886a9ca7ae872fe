// The prompt, and a second one blended in by weight.

import { updateFill } from "./dial-kinds.js";
import { byId } from "./dom.js";
import { Reading } from "./reading.js";

const TYPING_MS = 400; // the prompt is applied this long after the last key

/** The prompt fields, for the setting `prompt`: a list of [text, weight]. */
export class Prompts {
  #settings;
  #looks;
  #first = byId("prompt");
  #second = byId("second-prompt");
  #share = byId("share-of-second");
  #reading = new Reading(byId("reading"), (look) => this.choose(look));
  #secondReading = new Reading(byId("second-reading"), (look) => this.#chooseSecond(look));
  #timer = null;

  constructor(settings, looks) {
    this.#settings = settings;
    this.#looks = looks;
    for (const field of [this.#first, this.#second]) {
      field.addEventListener("input", () => this.#applySoon());
      field.addEventListener("change", () => this.#apply());
    }
    this.#share.addEventListener("input", () => this.#apply());
    byId("second-toggle").addEventListener("click", () => this.#toggle());
    settings.addEventListener("change", ({ detail }) => detail.names.includes("prompt") && this.#show());
    this.#show();
  }

  /** Use this look as the first prompt. */
  choose(look) {
    this.#first.value = look;
    this.#apply();
  }

  /** Show how the model reads the prompts, once it is loaded. */
  modelLoaded() {
    this.#showReadings({ again: true });
  }

  #chooseSecond(look) {
    this.#second.value = look;
    this.#apply();
  }

  #showReadings(options) {
    const [[text], other] = this.#settings.values.prompt;
    this.#reading.show(text, options);
    this.#secondReading.show(other?.[0] ?? null, options);
  }

  get #isOpen() {
    return !byId("second").hidden;
  }

  #applySoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), TYPING_MS);
  }

  #apply() {
    clearTimeout(this.#timer);
    this.#showShare();
    const text = this.#first.value.trim();
    if (!text) return;
    const other = this.#isOpen ? this.#second.value.trim() : "";
    const share = Number(this.#share.value);
    const rounded = (weight) => Math.round(weight * 100) / 100;
    this.#settings.change({ prompt: other ? [[text, rounded(1 - share)], [other, share]] : [[text, 1]] });
    this.#looks.select(text);
  }

  #toggle() {
    this.#setOpen(!this.#isOpen);
    if (this.#isOpen) this.#second.focus();
    this.#apply();
  }

  #setOpen(open) {
    byId("second").hidden = !open;
    const button = byId("second-toggle");
    button.setAttribute("aria-expanded", String(open));
    button.querySelector("span").textContent = open ? "Without a second prompt" : "Mix in a second prompt";
    button.querySelector("use").setAttribute("href", `icons.svg#${open ? "minus" : "plus"}`);
  }

  /** Show the setting; does not overwrite a field that has the focus. */
  #show() {
    const [[text, weight], other] = this.#settings.values.prompt;
    this.#setText(this.#first, text);
    if (other) {
      this.#setOpen(true);
      this.#setText(this.#second, other[0]);
      if (document.activeElement !== this.#share) this.#share.value = other[1] / (weight + other[1]);
    } else if (this.#second.value.trim()) {
      this.#setOpen(false);
    }
    this.#showShare();
    this.#looks.select(text);
    this.#showReadings();
  }

  #setText(field, text) {
    if (document.activeElement !== field) field.value = text;
  }

  #showShare() {
    byId("share-text").textContent = `${Math.round(this.#share.value * 100)} %`;
    updateFill(this.#share);
  }
}
