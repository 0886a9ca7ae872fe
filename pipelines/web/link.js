// Settings in the hash of the link: each value as JSON, strings as they are.

/** "#prompt=neon&strength=0.6" → settings; names that are not in the schema are left out. */
export function settingsFromHash(hash, schema) {
  const settings = {};
  for (const [name, text] of new URLSearchParams(hash.slice(1))) {
    if (name in schema) settings[name] = name === "prompt" ? parsePrompt(text) : parseValue(text);
  }
  return settings;
}

/** Settings → "#prompt=neon&strength=0.6"; empty if there are none. */
export function hashFromSettings(settings) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(settings)) {
    parts.set(name, name === "prompt" ? formatPrompt(value) : formatValue(value));
  }
  return parts.size ? `#${parts}` : "";
}

function parseValue(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parsePrompt(text) {
  const value = text.startsWith("[") ? parseValue(text) : text;
  return Array.isArray(value) ? value : [[text, 1]];
}

function formatPrompt(prompt) {
  const [[text, weight]] = prompt;
  const plain = prompt.length === 1 && weight === 1 && !text.startsWith("[");
  return plain ? text : JSON.stringify(prompt);
}

const formatValue = (value) => (typeof value === "string" ? value : JSON.stringify(value));
