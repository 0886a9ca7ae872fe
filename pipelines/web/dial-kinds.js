// A dial for each kind of value that a JSON Schema can describe.

import { icon, make } from "./dom.js";

const MANY = 100_000; // an integer with more values than this is typed, not dragged
const FIRST_INTEGER = 512; // where "auto" is left, if the range has it

/** A dial: { element, show(value) }. want(value) is called when the user changes it. */
export function dialOf(name, property, want) {
  const hint = (property.description ?? "").replaceAll("`", "");
  const one = { id: `dial-${name}`, title: titleOf(name, property), hint };
  if (property.type === "boolean") return switchDial(one, want);
  if (property.enum) return choiceDial(one, property.enum, want);
  const types = (property.anyOf ?? [property]);
  const number = types.find(({ type }) => type === "number" || type === "integer");
  if (!number) return null;
  const range = rangeOf(number);
  if (types.some(({ type }) => type === "null")) return automaticDial(one, range, want);
  return number.type === "integer" && range.max - range.min > MANY
    ? seedDial(one, range, want) : rangeDial(one, range, want);
}

function titleOf(name, { title }) {
  const words = (title ?? name).replaceAll("_", " ").toLowerCase();
  return words[0].toUpperCase() + words.slice(1);
}

/** { min, max, step, digits } of a number's schema. */
export function rangeOf(schema) {
  const whole = schema.type === "integer";
  let min = schema.minimum ?? schema.exclusiveMinimum ?? 0;
  let max = Math.min(schema.maximum ?? schema.exclusiveMaximum ?? 100, Number.MAX_SAFE_INTEGER);
  const fine = max - min <= 3 ? 0.01 : 0.5;
  const coarse = max - min > 64 && max - min <= MANY && min % 8 === 0 ? 8 : 1;
  const step = whole ? coarse : fine;
  if (schema.exclusiveMinimum !== undefined && schema.minimum === undefined) min += step;
  if (schema.exclusiveMaximum !== undefined && schema.maximum === undefined) max -= step;
  return { min, max, step, digits: whole ? 0 : step < 0.1 ? 2 : 1 };
}

/** How far a slider's track is filled. */
export function fill(input) {
  const share = (input.value - input.min) / (input.max - input.min);
  input.style.setProperty("--fill", `${100 * share}%`);
}

function slider(id, { min, max, step }, hinted) {
  const described = hinted && { "aria-describedby": `${id}-hint` };
  return make("input", { id, type: "range", min, max, step, ...described });
}

function rangeDial({ id, title, hint }, range, want) {
  const input = slider(id, range, hint);
  const output = make("span", { className: "value", "aria-hidden": "true" });
  const write = () => {
    output.textContent = Number(input.value).toFixed(range.digits);
    fill(input);
  };
  input.addEventListener("input", () => {
    write();
    want(Number(input.value));
  });
  const label = make("label", { htmlFor: id }, title);
  const element = make("div", { className: "dial" }, label, output, input, small(id, hint));
  return { element, show(value) { input.value = value; write(); } };
}

function automaticDial({ id, title, hint }, range, want) {
  const input = slider(id, range, hint);
  const output = make("span", { className: "value", "aria-hidden": "true" });
  const automatic = make("input", {
    type: "checkbox", id: `${id}-auto`, "aria-label": `${title}: automatic`,
  });
  const write = () => {
    input.disabled = automatic.checked;
    output.textContent = automatic.checked ? "" : Number(input.value).toFixed(range.digits);
    fill(input);
  };
  const middle = range.digits ? (range.min + range.max) / 2
    : Math.min(range.max, Math.max(range.min, FIRST_INTEGER));
  const changed = () => {
    write();
    want(automatic.checked ? null : Number(input.value));
  };
  input.value = middle;
  input.addEventListener("input", changed);
  automatic.addEventListener("change", changed);
  const element = make("div", { className: "dial" }, make("label", { htmlFor: id }, title),
    make("span", { className: "automatic" }, output, make("label", {}, automatic, "Auto")),
    input, small(id, hint));
  return { element, show(value) {
    automatic.checked = value === null;
    if (value !== null) input.value = value;
    write();
  } };
}

function seedDial({ id, title, hint }, { min, max }, want) {
  const input = make("input", {
    id, type: "number", min, max, step: 1, "aria-describedby": `${id}-hint`,
  });
  const dice = make("button", {
    type: "button", className: "icon", title: "Another one", "aria-label": `Another ${title.toLowerCase()}`,
  }, icon("dice"));
  input.addEventListener("change", () => {
    if (input.checkValidity() && input.value !== "") want(Number(input.value));
  });
  dice.addEventListener("click", () => want(Math.floor(Math.random() * 1_000_000)));
  const element = make("div", { className: "dial" }, make("label", { htmlFor: id }, title),
    make("span", { className: "joined" }, input, dice), small(id, hint));
  return { element, show(value) { input.value = value; } };
}

function switchDial({ id, title, hint }, want) {
  const input = make("input", { id, type: "checkbox", role: "switch", "aria-describedby": `${id}-hint` });
  input.addEventListener("change", () => want(input.checked));
  const label = make("label", { htmlFor: id }, title);
  const element = make("div", { className: "dial switch" }, label, input, small(id, hint));
  return { element, show(value) { input.checked = value; } };
}

function choiceDial({ id, title, hint }, values, want) {
  const radios = values.map((value) => make("input", { type: "radio", name: id, value }));
  for (const radio of radios) radio.addEventListener("change", () => want(radio.value));
  const labels = radios.map((radio) => make("label", {}, radio, make("span", {}, radio.value)));
  const element = make("fieldset", { className: "dial choice", "aria-describedby": `${id}-hint` },
    make("legend", {}, title), make("div", { className: "segments" }, ...labels), small(id, hint));
  return { element, show(value) {
    for (const radio of radios) radio.checked = radio.value === value;
  } };
}

const small = (id, text) => make("small", { id: `${id}-hint` }, text);
