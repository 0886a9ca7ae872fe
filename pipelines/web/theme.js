// Light, dark, or as the system has it.

import { byId } from "./dom.js";
import { always } from "./memory.js";

const KEY = "turbolens.theme";
const THEMES = ["auto", "light", "dark"];

export function offerThemes() {
  const button = byId("theme");
  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    always.keep(KEY, theme);
    byId("theme-words").textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${theme}`);
  };
  button.addEventListener("click", () => {
    const now = THEMES.indexOf(document.documentElement.dataset.theme);
    use(THEMES[(now + 1) % THEMES.length]);
  });
  const kept = always.kept(KEY);
  use(THEMES.includes(kept) ? kept : "auto");
}
