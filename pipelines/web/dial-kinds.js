// A dial for each type of value in a JSON Schema.

import { createElement, icon } from "./dom.js";

const LARGE_RANGE = 100_000; // larger integers have a number field in place of a slider
const INITIAL_INTEGER = 512; // value when "Auto" is switched off, if it is in the range

/** A dial: { element, show(value) }, or null for a type without one. onChange(value) is called when
 * the user changes it. */
export function createDial(name, property, onChange) {
  const hint = (property.description ?? "").replaceAll("`", "");
  const field = { id: `dial-${name}`, title: titleFor(name, property), hint };
  if (property.type === "boolean") return switchDial(field, onChange);
  if (property.enum) return choiceDial(field, property.enum, onChange);
  if (property.choices) return colourDial(field, property.choices, onChange);
  const types = (property.anyOf ?? [property]);
  const number = types.find(({ type }) => type === "number" || type === "integer");
  if (!number) return null;
  const range = rangeFrom(number);
  if (types.some(({ type }) => type === "null")) return automaticDial(field, range, onChange);
  return number.type === "integer" && range.max - range.min > LARGE_RANGE
    ? seedDial(field, range, onChange) : rangeDial(field, range, onChange);
}

function titleFor(name, { title }) {
  const words = (title ?? name).replaceAll("_", " ").toLowerCase();
  return words[0].toUpperCase() + words.slice(1);
}

/** { min, max, step, digits } from the schema of a number. */
export function rangeFrom(schema) {
  const whole = schema.type === "integer";
  let min = schema.minimum ?? schema.exclusiveMinimum ?? 0;
  let max = Math.min(schema.maximum ?? schema.exclusiveMaximum ?? 100, Number.MAX_SAFE_INTEGER);
  const fine = max - min <= 3 ? 0.01 : 0.5;
  const coarse = max - min > 64 && max - min <= LARGE_RANGE && min % 8 === 0 ? 8 : 1;
  const step = whole ? coarse : fine;
  if (schema.exclusiveMinimum !== undefined && schema.minimum === undefined) min += step;
  if (schema.exclusiveMaximum !== undefined && schema.maximum === undefined) max -= step;
  return { min, max, step, digits: whole ? 0 : step < 0.1 ? 2 : 1 };
}

/** Draw the filled part of a slider's track. */
export function updateFill(input) {
  const share = (input.value - input.min) / (input.max - input.min);
  input.style.setProperty("--fill", `${100 * share}%`);
}

function slider(id, { min, max, step }, hint) {
  const described = hint && { "aria-describedby": `${id}-hint` };
  return createElement("input", { id, type: "range", min, max, step, ...described });
}

function rangeDial({ id, title, hint }, range, onChange) {
  const input = slider(id, range, hint);
  const output = createElement("span", { className: "value", "aria-hidden": "true" });
  const update = () => {
    output.textContent = Number(input.value).toFixed(range.digits);
    updateFill(input);
  };
  input.addEventListener("input", () => {
    update();
    onChange(Number(input.value));
  });
  const label = createElement("label", { htmlFor: id }, title);
  const element = createElement("div", { className: "dial" }, label, output, input, hintFor(id, hint));
  return { element, show(value) { input.value = value; update(); } };
}

function automaticDial({ id, title, hint }, range, onChange) {
  const input = slider(id, range, hint);
  const output = createElement("span", { className: "value", "aria-hidden": "true" });
  const automatic = createElement("input", {
    type: "checkbox", id: `${id}-auto`, "aria-label": `${title}: automatic`,
  });
  const update = () => {
    input.disabled = automatic.checked;
    output.textContent = automatic.checked ? "" : Number(input.value).toFixed(range.digits);
    updateFill(input);
  };
  const middle = range.digits ? (range.min + range.max) / 2
    : Math.min(range.max, Math.max(range.min, INITIAL_INTEGER));
  const changed = () => {
    update();
    onChange(automatic.checked ? null : Number(input.value));
  };
  input.value = middle;
  input.addEventListener("input", changed);
  automatic.addEventListener("change", changed);
  const element = createElement("div", { className: "dial" }, createElement("label", { htmlFor: id }, title),
    createElement("span", { className: "automatic" }, output, createElement("label", {}, automatic, "Auto")),
    input, hintFor(id, hint));
  return { element, show(value) {
    automatic.checked = value === null;
    if (value !== null) input.value = value;
    update();
  } };
}

function seedDial({ id, title, hint }, { min, max }, onChange) {
  const input = createElement("input", {
    id, type: "number", min, max, step: 1, "aria-describedby": `${id}-hint`,
  });
  const dice = createElement("button", {
    type: "button", className: "icon", title: "Random value", "aria-label": `Random ${title.toLowerCase()}`,
  }, icon("dice"));
  input.addEventListener("change", () => {
    if (input.checkValidity() && input.value !== "") onChange(Number(input.value));
  });
  dice.addEventListener("click", () => onChange(Math.floor(Math.random() * 1_000_000)));
  const element = createElement("div", { className: "dial" }, createElement("label", { htmlFor: id }, title),
    createElement("span", { className: "joined" }, input, dice), hintFor(id, hint));
  return { element, show(value) { input.value = value; } };
}

function switchDial({ id, title, hint }, onChange) {
  const input = createElement("input", { id, type: "checkbox", role: "switch", "aria-describedby": `${id}-hint` });
  input.addEventListener("change", () => onChange(input.checked));
  const label = createElement("label", { htmlFor: id }, title);
  const element = createElement("div", { className: "dial switch" }, label, input, hintFor(id, hint));
  return { element, show(value) { input.checked = value; } };
}

function choiceDial({ id, title, hint }, values, onChange) {
  const radios = values.map((value) => createElement("input", { type: "radio", name: id, value }));
  for (const radio of radios) radio.addEventListener("change", () => onChange(radio.value));
  const labels = radios.map((radio) => createElement("label", {}, radio, createElement("span", {}, radio.value)));
  const element = createElement("fieldset", { className: "dial choice", "aria-describedby": `${id}-hint` },
    createElement("legend", {}, title), createElement("div", { className: "segments" }, ...labels), hintFor(id, hint));
  return { element, show(value) {
    for (const radio of radios) radio.checked = radio.value === value;
  } };
}

/** Some words, or a colour: the last choice shows a field for it. */
function colourDial(field, choices, onChange) {
  const words = choices.slice(0, -1), other = choices.at(-1);
  const input = createElement("input", { type: "color", value: "#1f3d2b", "aria-label": `${field.title}: colour` });
  const chosen = choiceDial(field, choices, (choice) => {
    input.hidden = choice !== other;
    onChange(choice === other ? input.value : choice);
  });
  input.addEventListener("input", () => onChange(input.value));
  chosen.element.querySelector(".segments").after(input);
  return { element: chosen.element, show(value) {
    const isWord = words.includes(value);
    input.hidden = isWord;
    if (!isWord && value.startsWith("#")) input.value = value;
    chosen.show(isWord ? value : other);
  } };
}

const hintFor = (id, text) => createElement("small", { id: `${id}-hint` }, text);
