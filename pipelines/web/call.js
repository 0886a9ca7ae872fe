// The call of a program that filters its own camera: what it shows, its devices, and the pause.

import { fetchNewer, request } from "./api.js";
import { byId, createElement } from "./dom.js";

const POLL_MS = 1000;
const PICTURE_MS = 80; // between two pictures: at most 12 a second
const DEVICES = { camera: ["call-camera", "cameras"], virtual_camera: ["call-virtual-camera", "virtual_cameras"] };

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Resolves while the page can be seen. Nothing is fetched for a page in the background. */
function seen() {
  if (!document.hidden) return undefined;
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(seen()), { once: true });
  });
}

/** onError(sentence) is called when a device cannot be used. onCamera() when the camera changed. */
export class Call {
  #picture = byId("call-picture");
  #pause = byId("call-pause");
  #state = {};
  #onError;
  #onCamera;

  constructor(onError, onCamera) {
    this.#onError = onError;
    this.#onCamera = onCamera;
  }

  start() {
    document.body.dataset.call = "true";
    this.#pause.addEventListener("click", () => this.#change({ paused: !this.#state.paused }));
    for (const [name, [id]] of Object.entries(DEVICES)) {
      byId(id).dataset.name = name;
      byId(id).addEventListener("change", ({ target }) => this.#change({ [name]: target.value }, target));
      byId(id).addEventListener("pointerdown", () => this.#listDevices());
    }
    this.#listDevices();
    this.#followState();
    this.#followPicture();
  }

  async #change(changes, list = null) {
    if (list) list.disabled = true;
    try {
      this.#show(await request("api/call", { method: "PATCH", body: changes }));
      if ("camera" in changes) this.#onCamera();
    } catch (error) { // the device before goes on
      this.#onError(error.message);
    }
    if (!list) return;
    list.disabled = false;
    list.value = this.#state[list.dataset.name];
  }

  async #followState() {
    for (;;) {
      await seen();
      try {
        this.#show(await request("api/call"));
      } catch { /* the program has ended; the page says so */ }
      await sleep(POLL_MS);
    }
  }

  #show(state) {
    this.#state = state;
    this.#pause.setAttribute("aria-pressed", String(state.paused));
    byId("call-pause-text").textContent = state.paused ? "Go on" : "Pause";
    this.#pause.querySelector("use").setAttribute("href", `icons.svg#${state.paused ? "play" : "pause"}`);
    byId("call-paused").hidden = !state.paused;
    for (const [name, [id]] of Object.entries(DEVICES)) {
      const list = byId(id);
      if (!list.disabled && document.activeElement !== list) list.value = state[name];
    }
  }

  async #listDevices() {
    const choices = await request("api/call/choices").catch(() => null);
    if (!choices) return;
    for (const [name, [id, kind]] of Object.entries(DEVICES)) {
      const list = byId(id);
      const known = [...list.options].map(({ value }) => value).join();
      if (known === choices[kind].map(({ value }) => value).join()) continue;
      list.replaceChildren(...choices[kind].map(({ value, label }) => createElement("option", { value }, label)));
      list.value = this.#state[name] ?? "";
    }
  }

  async #followPicture() {
    for (let last = 0; ;) {
      await seen();
      const began = performance.now();
      try {
        const { number, blob } = await fetchNewer("api/call/picture.jpg", last);
        if (blob) await this.#draw(blob);
        last = number;
      } catch {
        await sleep(POLL_MS);
      }
      await sleep(Math.max(0, PICTURE_MS - (performance.now() - began)));
    }
  }

  async #draw(blob) {
    const image = await createImageBitmap(blob);
    const { width, height } = image;
    if (this.#picture.width !== width || this.#picture.height !== height) {
      Object.assign(this.#picture, { width, height });
    }
    this.#picture.getContext("2d").drawImage(image, 0, 0);
    this.#picture.dataset.live = "true";
    image.close();
  }
}
