// Values stored in the browser, for this tab or permanently.

/** { set, get, remove }: values are strings; get returns null if there is none. */
function safeStorage(name) {
  const attempt = (action) => {
    try {
      return action(window[name]) ?? null;
    } catch { // storage is disabled: the page works without it
      return null;
    }
  };
  return {
    set: (key, value) => attempt((storage) => storage.setItem(key, value)),
    get: (key) => attempt((storage) => storage.getItem(key)),
    remove: (key) => attempt((storage) => storage.removeItem(key)),
  };
}

export const tabStorage = safeStorage("sessionStorage");
export const permanentStorage = safeStorage("localStorage");
