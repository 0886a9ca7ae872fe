// The dials, created from the schema of the settings: three on top, the rest under "Expert settings".

import { createDial } from "./dial-kinds.js";
import { byId, createElement } from "./dom.js";

const FIRST = ["enabled", "strength", "texture", "steadiness", "detail"];
const TITLES = { enabled: "Filter", mix: "Mix with the input", steps: "Denoising steps" };
const GROUPS = [
  ["Person and background", ["region", "outside", "feather"]],
  ["Look", ["control_scale", "image_prompt_scale", "mix", "transition", "steps", "timesteps", "seed"]],
  ["Steadiness", ["blend_before", "blend_after", "motion_sensitivity", "scene_cut_sensitivity",
                  "noise", "feedback", "cross_frame", "reuse_unchanged"]],
  ["Working size", ["size", "side", "shape", "fit"]],
];
const ELSEWHERE = ["prompt", "lora_weights"]; // have their own fields
const LORA_RANGE = { minimum: -1, maximum: 2 }; // larger weights destroy the image

/** Shows every setting of the schema, also those without a group here. */
export class Dials {
  #settings;
  #dials = new Map();
  #loras = new Map(); // by name: { dial, loadedWeight }

  constructor(settings) {
    this.#settings = settings;
    byId("first-dials").append(...this.#createDials(FIRST));
    const known = [...FIRST, ...ELSEWHERE, ...GROUPS.flatMap(([, names]) => names)];
    const rest = Object.keys(settings.schema).filter((name) => !known.includes(name));
    for (const [title, names] of [...GROUPS, ["More", rest]]) {
      const dials = this.#createDials(names);
      if (dials.length) byId("expert-dials").append(createElement("h3", {}, title), ...dials);
    }
    settings.addEventListener("change", ({ detail }) => this.#show(detail.names));
    this.#show(this.#dials.keys());
  }

  /** Show dials for the LoRAs of a model. loras: the weights they were loaded with, by name. */
  showLoras(loras) {
    const { lora_weights: { description } } = this.#settings.schema;
    const names = Object.keys(loras).filter((name) => !this.#loras.has(name));
    for (const name of names) {
      const property = { type: "number", ...LORA_RANGE, title: name };
      const onChange = (weight) => this.#settings.change(
        { lora_weights: { ...this.#settings.values.lora_weights, [name]: weight } });
      this.#loras.set(name, { dial: createDial(`lora-${name}`, property, onChange), loadedWeight: loras[name] });
    }
    if (!names.length) return;
    byId("expert-dials").append(createElement("h3", { title: description }, "LoRAs"),
      ...names.map((name) => this.#loras.get(name).dial.element));
    this.#show(["lora_weights"]);
  }

  #createDials(names) {
    const elements = [];
    for (const name of names.filter((each) => each in this.#settings.schema)) {
      const property = { ...this.#settings.schema[name] };
      if (property.needs) continue; // the model lacks this adapter
      property.title = TITLES[name] ?? property.title;
      const dial = createDial(name, property, (value) => this.#settings.change({ [name]: value }));
      if (!dial) continue;
      this.#dials.set(name, dial);
      elements.push(dial.element);
    }
    return elements;
  }

  #show(names) {
    for (const name of names) this.#dials.get(name)?.show(this.#settings.values[name]);
    const weights = this.#settings.values.lora_weights ?? {};
    for (const [name, { dial, loadedWeight }] of this.#loras) dial.show(weights[name] ?? loadedWeight);
  }
}
