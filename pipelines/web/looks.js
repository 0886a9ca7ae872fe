// The gallery: a thumbnail for each look of the model.

import { picture } from "./api.js";
import { byId, make } from "./dom.js";

/** Radio buttons with pictures. choose(look) is called for the user's choice. */
export class Looks {
  #choose;
  #names = [];
  #radios = new Map();

  constructor(choose) {
    this.#choose = choose;
  }

  /** Show these looks; the pictures come one by one. */
  async list(names) {
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    byId("looks").hidden = names.length === 0;
    byId("look-names").replaceChildren(...names.map((name) => make("option", { value: name })));
    const tiles = names.map((name) => this.#tile(name));
    byId("gallery").replaceChildren(...tiles.map(({ label }) => label));
    for (const { name, image } of tiles) {
      if (this.#names !== names) return;
      await draw(image, name);
    }
  }

  /** Mark the look that is used; none where the text is no look. */
  mark(text) {
    for (const [name, radio] of this.#radios) {
      radio.checked = name.toLowerCase() === text.trim().toLowerCase();
    }
  }

  #tile(name) {
    const radio = make("input", { type: "radio", name: "look", value: name });
    radio.addEventListener("change", () => this.#choose(name));
    this.#radios.set(name, radio);
    const image = make("img", { alt: "", width: 240, height: 180 });
    image.dataset.state = "coming";
    const label = make("label", { className: "look" }, radio, image, make("span", {}, name));
    return { name, image, label };
  }
}

async function draw(image, name) {
  try {
    image.src = await picture(`api/looks/${encodeURIComponent(name)}.jpg`);
    image.dataset.state = "there";
  } catch {
    image.dataset.state = "missing"; // the name below it says as much
  }
}
