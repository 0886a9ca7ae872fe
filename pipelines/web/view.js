// The page view/NAME: plays the stream of that name by WHEP, for OBS, walls and kiosks.
//
// It starts by itself, has no controls, and connects again whenever the stream has ended.

import { RequestError, postOffer, request, sendDelete } from "./api.js";
import { byId } from "./dom.js";
import { iceGathered } from "./session.js";

const FIRST_PAUSE_MS = 500; // between two attempts
const LONGEST_PAUSE_MS = 4000;
const CHECK_MS = 1000;
const CONNECT_MS = 15_000; // until the first frame
const STALL_MS = 5000; // without a new frame: connect again
const LAST_FRAME_MS = 10_000; // the last frame stays for so long, then the page is transparent
const ENDED = ["failed", "closed"];

const name = decodeURIComponent(location.pathname.split("/").at(-1));
const withAudio = new URLSearchParams(location.search).get("audio") === "1";
const video = byId("view");

/** One WHEP session. `ended` is settled when no more frames come; `played` says if any came. */
class Player {
  played = false;
  #peer;
  #location = null;
  #timer = null;
  #lastFrameAt = performance.now();
  #frames = 0;
  #end;

  constructor(iceServers) {
    this.#peer = new RTCPeerConnection({ iceServers });
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#peer.addEventListener("connectionstatechange", () => {
      if (ENDED.includes(this.#peer.connectionState)) this.#end();
    });
  }

  /** Throws `RequestError` and `UnreachableError`. */
  async open() {
    const stream = new MediaStream();
    this.#peer.addEventListener("track", ({ track }) => {
      stream.addTrack(track);
      if (track.kind === "video") this.#show(stream);
    });
    this.#peer.addTransceiver("video", { direction: "recvonly" });
    if (withAudio) this.#peer.addTransceiver("audio", { direction: "recvonly" });
    await this.#peer.setLocalDescription();
    await iceGathered(this.#peer);
    const { sdp, location } = await postOffer(`../whep/${encodeURIComponent(name)}`, this.#peer.localDescription.sdp);
    this.#location = location;
    await this.#peer.setRemoteDescription({ type: "answer", sdp });
    this.#lastFrameAt = performance.now();
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  close() {
    clearInterval(this.#timer);
    this.#peer.close();
    if (this.#location) sendDelete(this.#location);
    this.#location = null;
    this.#end();
  }

  /** Show the stream once its first frame is decoded, so that the last picture stays until then. */
  #show(stream) {
    const next = document.createElement("video");
    Object.assign(next, { muted: true, playsInline: true, srcObject: stream });
    next.addEventListener("loadeddata", () => {
      this.played = true;
      next.srcObject = null;
      show(stream);
    }, { once: true });
    next.play().catch(() => {});
  }

  async #check() {
    const reports = [...(await this.#peer.getStats()).values()];
    const frames = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.framesDecoded ?? 0;
    const now = performance.now();
    if (frames !== this.#frames) [this.#frames, this.#lastFrameAt] = [frames, now];
    if (now - this.#lastFrameAt > (this.played ? STALL_MS : CONNECT_MS)) this.#end();
  }
}

let hideTimer = null;

function show(stream) {
  clearTimeout(hideTimer);
  video.srcObject = stream;
  video.hidden = false;
  play();
}

/** Browsers may forbid audio before a click; OBS does not. */
function play() {
  video.muted = !withAudio;
  video.play().catch(() => {
    video.muted = true;
    video.play().catch(() => {});
    addEventListener("pointerdown", play, { once: true });
  });
}

function hideSoon() {
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => {
    video.hidden = true;
    video.srcObject = null;
  }, LAST_FRAME_MS);
}

/** Play once, from the connection to its end. Returns true if there was a frame. */
async function playOnce() {
  const { ice_servers: iceServers } = await request("../api/status");
  const player = new Player(iceServers);
  const close = () => player.close();
  addEventListener("pagehide", close);
  try {
    await player.open();
    await player.ended;
    return player.played;
  } finally {
    removeEventListener("pagehide", close);
    close();
  }
}

let failures = 0;
for (;;) {
  let played = false;
  try {
    played = await playOnce();
  } catch (error) {
    document.title = `${name}: ${error.message}`;
    if (error instanceof RequestError && error.status === 401) console.warn(error.message);
  }
  if (played) hideSoon();
  failures = played ? 0 : failures + 1;
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  await new Promise((resolve) => setTimeout(resolve, pause));
}
