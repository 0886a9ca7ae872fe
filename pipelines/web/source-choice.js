// The list of sources below the video, the file dialog, and files dropped on the video.

import { byId, createElement } from "./dom.js";
import { cameras } from "./source.js";

/** Calls onChoose(kind, what): ("camera", id), ("screen"), ("file", a File). */
export class SourceChoice {
  #list = byId("source-choice");
  #file = byId("file");
  #source;
  #onChoose;

  constructor(source, onChoose) {
    this.#source = source;
    this.#onChoose = onChoose;
    this.#list.addEventListener("change", () => this.#choose(this.#list.value));
    this.#file.addEventListener("change", () => this.#chooseFile(this.#file.files[0]));
    this.#file.addEventListener("cancel", () => this.show());
    for (const button of document.querySelectorAll("[data-source]")) {
      button.addEventListener("click", () => this.#choose(button.dataset.source));
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => this.show());
    this.#acceptDrops(byId("stage"));
    this.show();
  }

  /** List the available sources, with the current one selected. */
  async show() {
    const available = await cameras().catch(() => []);
    const options = available.map(({ id, label }) => createElement("option", { value: `camera:${id}` }, label));
    if (!options.length) options.push(createElement("option", { value: "camera" }, "Camera"));
    const { kind, deviceId } = this.#source;
    this.#list.replaceChildren(
      ...(kind ? [] : [createElement("option", { value: "" }, "Choose …")]),
      createElement("optgroup", { label: "Camera" }, ...options),
      createElement("option", { value: "screen" }, kind === "screen" ? "Screen" : "Share the screen …"),
      createElement("option", { value: "file" }, kind === "file" ? "Video file" : "Open a video …"),
      ...(kind === "file" ? [createElement("option", { value: "file:other" }, "Open another video …")] : []),
    );
    this.#list.value = kind === "camera" && available.length ? `camera:${deviceId}` : kind ?? "";
  }

  #choose(value) {
    const [kind, id] = value.split(/:(.*)/s);
    if (kind === "file") this.#file.click();
    else if (kind) this.#onChoose(kind, id);
    if (kind === "file") this.show();
  }

  #chooseFile(file) {
    if (file) this.#onChoose("file", file);
    this.#file.value = "";
  }

  #acceptDrops(area) {
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      area.dataset.dropping = "true";
    });
    for (const name of ["dragleave", "drop"]) {
      area.addEventListener(name, () => delete area.dataset.dropping);
    }
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#chooseFile(event.dataTransfer.files[0]);
    });
  }
}
