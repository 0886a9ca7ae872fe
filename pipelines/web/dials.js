// The dials, made from the schema of the settings: a few first, the rest behind a disclosure.

import { dialOf } from "./dial-kinds.js";
import { byId, make } from "./dom.js";

const FIRST = ["enabled", "strength", "steadiness"];
const TITLES = { enabled: "Filter", mix: "Mix with the input", steps: "Denoising steps" };
const SHORT = {
  enabled: "Off: the picture passes untouched.",
  strength: "How far from the input the picture may go.",
  steadiness: "How firmly the picture is held over time.",
};
const GROUPS = [
  ["Look", ["control_scale", "image_prompt_scale", "mix", "transition", "steps", "timesteps", "seed"]],
  ["Steadiness", ["blend_before", "blend_after", "motion_sensitivity", "scene_cut_sensitivity",
                  "noise", "feedback", "cross_frame", "reuse_unchanged"]],
  ["Working picture", ["size", "side", "shape", "fit"]],
];
const ELSEWHERE = ["prompt", "lora_weights"]; // have fields of their own
const LORA_RANGE = { minimum: -1, maximum: 2 }; // what is of use: more tears the picture

/** Shows every setting of the schema, those that are unknown here too. */
export class Dials {
  #settings;
  #dials = new Map();
  #loras = new Map(); // by name: { dial, given }

  constructor(settings) {
    this.#settings = settings;
    byId("first-dials").append(...this.#made(FIRST));
    const known = [...FIRST, ...ELSEWHERE, ...GROUPS.flatMap(([, names]) => names)];
    const rest = Object.keys(settings.schema).filter((name) => !known.includes(name));
    for (const [title, names] of [...GROUPS, ["More", rest]]) {
      const dials = this.#made(names);
      if (dials.length) byId("expert-dials").append(make("h3", {}, title), ...dials);
    }
    settings.addEventListener("change", ({ detail }) => this.#show(detail.names));
    this.#show(this.#dials.keys());
  }

  /** Dials for the LoRAs of a model: the weights that they were loaded with, by name. */
  showLoras(loras) {
    const { lora_weights: { description } } = this.#settings.schema;
    const names = Object.keys(loras).filter((name) => !this.#loras.has(name));
    for (const name of names) {
      const property = { type: "number", ...LORA_RANGE, title: name };
      const want = (weight) => this.#settings.want(
        { lora_weights: { ...this.#settings.values.lora_weights, [name]: weight } });
      this.#loras.set(name, { dial: dialOf(`lora-${name}`, property, want), given: loras[name] });
    }
    if (!names.length) return;
    byId("expert-dials").append(make("h3", { title: description }, "LoRAs"),
      ...names.map((name) => this.#loras.get(name).dial.element));
    this.#show(["lora_weights"]);
  }

  #made(names) {
    const elements = [];
    for (const name of names.filter((each) => each in this.#settings.schema)) {
      const property = { ...this.#settings.schema[name] };
      if (property.needs) continue; // an adapter that the model does not have
      property.title = TITLES[name] ?? property.title;
      property.description = SHORT[name] ?? property.description;
      const dial = dialOf(name, property, (value) => this.#settings.want({ [name]: value }));
      if (!dial) continue;
      this.#dials.set(name, dial);
      elements.push(dial.element);
    }
    return elements;
  }

  #show(names) {
    for (const name of names) this.#dials.get(name)?.show(this.#settings.values[name]);
    const weights = this.#settings.values.lora_weights ?? {};
    for (const [name, { dial, given }] of this.#loras) dial.show(weights[name] ?? given);
  }
}
