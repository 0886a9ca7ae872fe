// Requests to the server: its token, its answers, its refusals as errors.

import { tab } from "./memory.js";

/** The server answered, and said no: `status`, a sentence, and when to come again. */
export class Refusal extends Error {
  constructor(status, sentence, retrySeconds) {
    super(sentence);
    Object.assign(this, { name: "Refusal", status, retrySeconds });
  }
}

/** There was no answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the server does not answer");
    this.name = "Unreachable";
  }
}

const KEY = "turbolens.token";
let token = taken();

/** The token behind # is for this page alone: it is taken out of what one sees and shares. */
function taken() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const given = hash.get("token");
  if (given) {
    hash.delete("token");
    history.replaceState(null, "", hash.size ? `#${hash}` : location.pathname + location.search);
    tab.keep(KEY, given);
  }
  return given ?? tab.kept(KEY);
}

export function useToken(given) {
  token = given;
  tab.keep(KEY, given);
}

function headers(json) {
  return { ...(json && { "Content-Type": "application/json" }),
           ...(token && { Authorization: `Bearer ${token}` }) };
}

async function fetched(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Unreachable();
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const retry = Number(response.headers.get("Retry-After")) || null;
  throw new Refusal(response.status, problem.detail ?? response.statusText, retry);
}

/** JSON from the server. Throws `Refusal` and `Unreachable`. */
export async function ask(path, { method = "GET", body } = {}) {
  const response = await fetched(path, {
    method, headers: headers(body), body: body && JSON.stringify(body),
  });
  return response.json();
}

/** A file of the server as an address for this page, since <img> sends no token. */
export async function picture(path) {
  const response = await fetched(path, { headers: headers() });
  return URL.createObjectURL(await response.blob());
}

/** End something, even while the page is left; nobody waits for the answer. */
export function end(path) {
  fetch(path, { method: "DELETE", headers: headers(), keepalive: true }).catch(() => {});
}
