// HTTP requests to the server: token, JSON, and errors.

import { tabStorage } from "./storage.js";

/** The server refused the request: `status`, a sentence, and `retrySeconds` or null. `wrongToken`:
 * true if a token was sent, and the server has another. */
export class RequestError extends Error {
  constructor(status, sentence, { retrySeconds = null, wrongToken = false } = {}) {
    super(sentence);
    Object.assign(this, { name: "RequestError", status, retrySeconds, wrongToken });
  }
}

/** The server did not answer. */
export class UnreachableError extends Error {
  constructor() {
    super("the server does not answer");
    this.name = "UnreachableError";
  }
}

const RELOAD_KEY = "turbolens.reload";
const RELOAD_MS = 60_000; // at most one reload in this time

// The policy of the page names the servers of a cluster that were there when it was loaded. A redirect
// to a later one is blocked, so that the page must be loaded again.
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective !== "connect-src") return;
  if (Date.now() - Number(tabStorage.get(RELOAD_KEY) ?? 0) < RELOAD_MS) return;
  tabStorage.set(RELOAD_KEY, String(Date.now()));
  if (tabStorage.get(RELOAD_KEY) !== null) location.reload();
});

const TOKEN_KEY = "turbolens.token";
let token = loadToken();

/** The token from the link, or the one stored for this tab. Removes it from the address bar, so
 * that it is not shared by accident. */
function loadToken() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const fromLink = hash.get("token");
  if (fromLink) {
    hash.delete("token");
    history.replaceState(null, "", hash.size ? `#${hash}` : location.pathname + location.search);
    tabStorage.set(TOKEN_KEY, fromLink);
  }
  return fromLink ?? tabStorage.get(TOKEN_KEY);
}

/** Use this token from now on. */
export function setToken(newToken) {
  token = newToken;
  tabStorage.set(TOKEN_KEY, newToken);
}

function headers(bodyType) {
  return { ...(bodyType && { "Content-Type": bodyType }),
           ...(token && { Authorization: `Bearer ${token}` }) };
}

async function checkedFetch(path, options) {
  const sentToken = token;
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new UnreachableError();
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const retrySeconds = Number(response.headers.get("Retry-After")) || null;
  const wrongToken = response.status === 401 && Boolean(sentToken);
  throw new RequestError(response.status, problem.detail ?? response.statusText, { retrySeconds, wrongToken });
}

/** The JSON answer of the server. Throws `RequestError` and `UnreachableError`. */
export async function request(path, { method = "GET", body } = {}) {
  const response = await checkedFetch(path, {
    method, headers: headers(body && "application/json"), body: body && JSON.stringify(body),
  });
  return response.json();
}

/** POST an SDP offer, as WHIP and WHEP do: { sdp, location }, the answer and the session's URL. The
 * URL is at the host of the page, which the request may have been redirected from. */
export async function postOffer(path, sdp) {
  const response = await checkedFetch(path, {
    method: "POST", headers: headers("application/sdp"), body: sdp,
  });
  const id = response.headers.get("Location").split("/").at(-1);
  return { sdp: await response.text(), location: `${path}/${id}` };
}

/** The object URL of an image. Fetched here because <img> does not send the token. */
export async function fetchImage(path) {
  const response = await checkedFetch(path, { headers: headers() });
  return URL.createObjectURL(await response.blob());
}

/** The first picture with another number than the last one: { number, blob }. If there is none for a
 * while, `blob` is null. */
export async function fetchNewer(path, last) {
  const response = await checkedFetch(`${path}?after=${last}`, { headers: headers() });
  if (response.status === 204) return { number: last, blob: null };
  return { number: Number(response.headers.get("X-Picture")), blob: await response.blob() };
}

/** Send DELETE without waiting for the answer; works while the page is being closed, too. */
export function sendDelete(path) {
  fetch(path, { method: "DELETE", headers: headers(), keepalive: true }).catch(() => {});
}
