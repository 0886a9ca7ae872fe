// The gallery: one thumbnail for each look of the model.

import { fetchImage, request } from "./api.js";
import { byId, createElement } from "./dom.js";

/** Radio buttons with thumbnails, if the server has some. onChoose(look) is called when the user chooses one. */
export class Looks {
  #onChoose;
  #names = [];
  #radios = new Map();

  constructor(onChoose) {
    this.#onChoose = onChoose;
  }

  /** Show the looks of the model, with this one selected; thumbnails are loaded one by one. */
  async load(text) {
    const { looks: names, thumbnails = [] } = await request("api/looks");
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    this.#radios.clear();
    byId("looks").hidden = names.length === 0;
    if (names.length) byId("prompt-hint").textContent = "Pick a look above, or describe one in your own words.";
    byId("look-names").replaceChildren(...names.map((name) => createElement("option", { value: name })));
    byId("gallery").dataset.thumbnails = String(thumbnails.length > 0);
    const tiles = names.map((name) => this.#tile(name, thumbnails.length > 0));
    byId("gallery").replaceChildren(...tiles.map(({ label }) => label));
    this.select(text);
    for (const [index, path] of thumbnails.entries()) { // none if a program filters its own camera
      if (this.#names !== names) return;
      await showThumbnail(tiles[index].image, path);
    }
  }

  /** Select the look with this name, or none if there is no such look. */
  select(text) {
    for (const [name, radio] of this.#radios) {
      radio.checked = name.toLowerCase() === text.trim().toLowerCase();
      if (radio.checked) scrollGalleryTo(radio.parentElement);
    }
  }

  #tile(name, hasThumbnail) {
    const radio = createElement("input", { type: "radio", name: "look", value: name });
    radio.addEventListener("change", () => this.#onChoose(name));
    this.#radios.set(name, radio);
    const label = createElement("label", { className: "look" }, radio);
    const image = hasThumbnail ? createElement("img", { alt: "", width: 240, height: 180 }) : null;
    if (image) {
      image.dataset.state = "loading";
      label.append(image);
    }
    label.append(createElement("span", {}, name));
    return { image, label };
  }
}

/** Scroll the gallery sideways, on phones, without scrolling the page. */
function scrollGalleryTo(tile) {
  const gallery = tile.parentElement;
  gallery?.scrollTo({ left: tile.offsetLeft - (gallery.clientWidth - tile.clientWidth) / 2 });
}

async function showThumbnail(image, path) {
  try {
    image.src = await fetchImage(path);
    image.dataset.state = "loaded";
  } catch {
    image.dataset.state = "missing"; // the name of the look is still readable
  }
}
