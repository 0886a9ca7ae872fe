// The link that reproduces the settings: behind #, each value as JSON, texts as they are.

/** "#prompt=neon&strength=0.6" → settings; what this server does not know is left out. */
export function settingsOf(hash, schema) {
  const found = {};
  for (const [name, text] of new URLSearchParams(hash.slice(1))) {
    if (name in schema) found[name] = name === "prompt" ? promptOf(text) : valueOf(text);
  }
  return found;
}

/** Settings → "#…", empty for none. */
export function hashOf(settings) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(settings)) {
    parts.set(name, name === "prompt" ? textOf(value) : written(value));
  }
  return parts.size ? `#${parts}` : "";
}

function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function promptOf(text) {
  const value = text.startsWith("[") ? valueOf(text) : text;
  return Array.isArray(value) ? value : [[text, 1]];
}

function textOf(prompt) {
  const [[text, weight]] = prompt;
  const plain = prompt.length === 1 && weight === 1 && !text.startsWith("[");
  return plain ? text : JSON.stringify(prompt);
}

const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));
