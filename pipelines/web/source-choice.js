// The list of sources below the picture, the file dialogue, and files dropped on the picture.

import { byId, make } from "./dom.js";
import { cameras } from "./source.js";

/** Calls open(kind, what) for a choice: ("camera", id), ("screen"), ("file", a File). */
export class SourceChoice {
  #list = byId("source-choice");
  #file = byId("file");
  #source;
  #open;

  constructor(source, open) {
    this.#source = source;
    this.#open = open;
    this.#list.addEventListener("change", () => this.#chosen(this.#list.value));
    this.#file.addEventListener("change", () => this.#opened(this.#file.files[0]));
    this.#file.addEventListener("cancel", () => this.show());
    for (const button of document.querySelectorAll("[data-source]")) {
      button.addEventListener("click", () => this.#chosen(button.dataset.source));
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => this.show());
    this.#takeDrops(byId("stage"));
    this.show();
  }

  /** List what there is now, with the one in use chosen. */
  async show() {
    const found = await cameras().catch(() => []);
    const options = found.map(({ id, label }) => make("option", { value: `camera:${id}` }, label));
    if (!options.length) options.push(make("option", { value: "camera" }, "Camera"));
    const { kind, deviceId } = this.#source;
    this.#list.replaceChildren(
      ...(kind ? [] : [make("option", { value: "" }, "Choose …")]),
      make("optgroup", { label: "Camera" }, ...options),
      make("option", { value: "screen" }, kind === "screen" ? "Screen" : "Share the screen …"),
      make("option", { value: "file" }, kind === "file" ? "Video file" : "Open a video …"),
      ...(kind === "file" ? [make("option", { value: "file:other" }, "Open another video …")] : []),
    );
    this.#list.value = kind === "camera" && found.length ? `camera:${deviceId}` : kind ?? "";
  }

  #chosen(value) {
    const [kind, id] = value.split(/:(.*)/s);
    if (kind === "file") this.#file.click();
    else if (kind) this.#open(kind, id);
    if (kind === "file") this.show();
  }

  #opened(file) {
    if (file) this.#open("file", file);
    this.#file.value = "";
  }

  #takeDrops(area) {
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      area.dataset.dropping = "true";
    });
    for (const name of ["dragleave", "drop"]) {
      area.addEventListener(name, () => delete area.dataset.dropping);
    }
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#opened(event.dataTransfer.files[0]);
    });
  }
}
