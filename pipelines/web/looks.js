// The gallery: a thumbnail for each look of the model.

import { ask, picture } from "./api.js";
import { byId, make } from "./dom.js";

/** Radio buttons with pictures. choose(look) is called for the user's choice. */
export class Looks {
  #choose;
  #names = [];
  #radios = new Map();

  constructor(choose) {
    this.#choose = choose;
  }

  /** Show the looks that the server has now, with this one marked; the pictures come later. */
  async load(text) {
    const { looks: names, thumbnails = [] } = await ask("api/looks");
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    this.#radios.clear();
    byId("looks").hidden = names.length === 0;
    if (names.length) byId("prompt-hint").textContent = "Pick a look above, or say it in your own words.";
    byId("look-names").replaceChildren(...names.map((name) => make("option", { value: name })));
    const tiles = names.map((name) => this.#tile(name));
    byId("gallery").replaceChildren(...tiles.map(({ label }) => label));
    this.mark(text);
    for (const [index, { image }] of tiles.entries()) {
      if (this.#names !== names) return;
      await draw(image, thumbnails[index]);
    }
  }

  /** Mark the look that is used; none where the text is no look. */
  mark(text) {
    for (const [name, radio] of this.#radios) {
      radio.checked = name.toLowerCase() === text.trim().toLowerCase();
      if (radio.checked) bringIntoSight(radio.parentElement);
    }
  }

  #tile(name) {
    const radio = make("input", { type: "radio", name: "look", value: name });
    radio.addEventListener("change", () => this.#choose(name));
    this.#radios.set(name, radio);
    const image = make("img", { alt: "", width: 240, height: 180 });
    image.dataset.state = "coming";
    const label = make("label", { className: "look" }, radio, image, make("span", {}, name));
    return { image, label };
  }
}

/** Where the gallery scrolls by itself, on phones; the page stays where it is. */
function bringIntoSight(tile) {
  const gallery = tile.parentElement;
  gallery?.scrollTo({ left: tile.offsetLeft - (gallery.clientWidth - tile.clientWidth) / 2 });
}

async function draw(image, path) {
  try {
    image.src = await picture(path);
    image.dataset.state = "there";
  } catch {
    image.dataset.state = "missing"; // the name below it says as much
  }
}
