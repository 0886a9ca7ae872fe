// "Which model?": what this machine can run, what each model needs, and the command that brings it.

import { request } from "./api.js";
import { byId, createElement } from "./dom.js";

const COMMANDS = { server: "turbolens serve", control: "turbolens webcam" };

/** Fill the list when it is opened. mode: "server" or "control"; current: the model in use. */
export function initModels(mode, current) {
  const details = byId("models");
  details.hidden = false;
  let requested = false;
  details.addEventListener("toggle", async () => {
    if (!details.open || requested) return;
    requested = true;
    try {
      const { models } = await request("api/models");
      byId("model-list").replaceChildren(...models.map((model) => card(model, mode, current)));
    } catch {
      requested = false;
      byId("model-list").textContent = "The server does not answer. Close this list and open it again.";
    }
  });
}

function card(model, mode, current) {
  const inUse = model.name === current;
  const title = createElement("h3", {}, model.name, createElement("small", {}, place(model, inUse)));
  const needs = [`${model.memory_gib} GiB of ${model.on_gpu ? "GPU memory" : "memory"}`];
  if (model.download_gb) needs.push(`a download of ${model.download_gb} GB`);
  const element = createElement("article", { className: "model-card" }, title,
    createElement("p", {}, model.description),
    createElement("p", {}, `Needs ${needs.join(" and ")}. ${verdict(model)}`));
  element.dataset.speed = model.speed;
  if (!inUse && model.speed !== "no") {
    const commands = [model.pull, `${COMMANDS[mode]} ${model.use}`].filter(Boolean);
    element.append(createElement("pre", {}, createElement("code", {}, commands.join("\n"))));
  }
  if (model.pull) {
    element.append(createElement("small", {}, "Licence: ",
      createElement("a", { href: model.licence_url, rel: "noreferrer", target: "_blank" }, model.licence)));
  }
  return element;
}

function place(model, inUse) {
  if (inUse) return "in use";
  return model.is_here ? "on this machine" : "not on this machine";
}

function verdict({ speed, device, device_gib: gib }) {
  const here = gib ? `${device}, ${gib} GiB` : device;
  if (speed === "live") return `Runs live here (${here}).`;
  if (speed === "slow") return "Fits, but without a GPU a frame takes seconds: for files, not for calls.";
  return `Too large for this machine (${here}).`;
}
