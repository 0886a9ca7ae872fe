// What the browser keeps for this page: for this tab, or for always. Some browsers keep nothing.

/** keep(key, value), kept(key), forget(key): values are texts, null for none. */
function memory(name) {
  const attempt = (act) => {
    try {
      return act(window[name]) ?? null;
    } catch { // storage is forbidden: the page works without
      return null;
    }
  };
  return {
    keep: (key, value) => attempt((store) => store.setItem(key, value)),
    kept: (key) => attempt((store) => store.getItem(key)),
    forget: (key) => attempt((store) => store.removeItem(key)),
  };
}

export const tab = memory("sessionStorage");
export const always = memory("localStorage");
