// The theme: light, dark, or that of the system.

import { byId } from "./dom.js";
import { permanentStorage } from "./storage.js";

const KEY = "turbolens.theme";
const THEMES = ["auto", "light", "dark"];

export function initTheme() {
  const button = byId("theme");
  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    permanentStorage.set(KEY, theme);
    byId("theme-text").textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${theme}`);
  };
  button.addEventListener("click", () => {
    const now = THEMES.indexOf(document.documentElement.dataset.theme);
    use(THEMES[(now + 1) % THEMES.length]);
  });
  const stored = permanentStorage.get(KEY);
  use(THEMES.includes(stored) ? stored : "auto");
}
