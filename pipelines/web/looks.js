// The gallery: one thumbnail for each look of the model.

import { fetchImage, request } from "./api.js";
import { byId, createElement } from "./dom.js";

const RETRY_MS = 2000;

/** Radio buttons with thumbnails, if the server has some. onChoose(look) is called when the user chooses one. */
export class Looks {
  #onChoose;
  #names = [];
  #radios = new Map();
  #images = [];
  #thumbnails = [];
  #round = 0; // of drawing them; a newer one ends the one before

  constructor(onChoose) {
    this.#onChoose = onChoose;
    byId("redraw").addEventListener("click", () => this.draw());
  }

  /** Fetch the thumbnails one by one. Of a call they are drawn now, from its camera. */
  async draw() {
    const round = ++this.#round;
    for (const image of this.#images) image.dataset.state = "loading";
    for (const [index, path] of this.#thumbnails.entries()) {
      while (this.#round === round && !(await showThumbnail(this.#images[index], path))) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
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
    this.#thumbnails = thumbnails;
    byId("redraw").hidden = !thumbnails.some((path) => path.startsWith("api/call/"));
    this.#images = tiles.map(({ image }) => image).slice(0, thumbnails.length);
    await this.draw();
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

/** False if the model has no time for it yet, so that it is worth another attempt. */
async function showThumbnail(image, path) {
  try {
    const before = image.src;
    image.src = await fetchImage(path);
    URL.revokeObjectURL(before);
    image.dataset.state = "loaded";
    return true;
  } catch ({ status }) {
    if (status === 503) return false;
    image.dataset.state = "missing"; // the name of the look is still readable
    return true;
  }
}
