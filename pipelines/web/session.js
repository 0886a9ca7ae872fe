// One session: a peer connection with the server, from the offer to the end.

import { request, sendDelete } from "./api.js";
import { Control } from "./control.js";

const GATHERING_MS = 2500; // for ICE candidates
const CONNECT_MS = 15_000;
const RECOVERY_MS = 4000; // a "disconnected" peer connection often recovers by itself

/** The server answered, but ICE found no path for the media. */
export class MediaConnectionError extends Error {
  constructor() {
    super("no network path for the video was found");
    this.name = "MediaConnectionError";
  }
}

/** Wait until all ICE candidates are known, or for as long as is worth waiting. */
export async function iceGathered(peer) {
  if (peer.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    setTimeout(resolve, GATHERING_MS);
    peer.addEventListener("icegatheringstatechange",
      () => peer.iceGatheringState === "complete" && resolve());
  });
}

/** Call `open`, then wait for `ended`: the server's reason, or null if the connection was lost.
 * `stream` is the filtered media, `control` the control channel. */
export class Session {
  stream = new MediaStream();
  #senders = {};
  #location = null;
  #resolveEnded;

  constructor(iceServers) {
    this.peer = new RTCPeerConnection({ iceServers });
    this.ended = new Promise((resolve) => { this.#resolveEnded = resolve; });
    this.peer.addEventListener("track", ({ track }) => this.stream.addTrack(track));
  }

  /** Connect, send these tracks, and start with these settings. Returns the first state message.
   * Closes the session and throws `RequestError`, `UnreachableError` or `MediaConnectionError`. */
  async open({ video, audio, settings }) {
    try {
      for (const [kind, track] of [["video", video], ["audio", audio]]) {
        const transceiver = this.peer.addTransceiver(track ?? kind, { direction: "sendrecv" });
        this.#senders[kind] = transceiver.sender;
      }
      const channel = this.peer.createDataChannel("control");
      this.control = new Control(channel);
      await this.peer.setLocalDescription();
      await iceGathered(this.peer);
      const answer = await request("api/sessions", {
        method: "POST", body: { sdp: this.peer.localDescription.sdp, settings },
      });
      this.#location = `api/sessions/${encodeURIComponent(answer.id)}`;
      const firstState = this.#firstState();
      await this.peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      const first = await firstState;
      this.#watchForEnd();
      return first;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Send another track of this kind, or none if null. */
  async replace(kind, track) {
    await this.#senders[kind]?.replaceTrack(track);
  }

  close() {
    if (this.peer.connectionState !== "closed" && this.#location) sendDelete(this.#location);
    this.peer.close();
    this.#resolveEnded(null);
  }

  #firstState() {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new MediaConnectionError());
      setTimeout(fail, CONNECT_MS);
      this.control.addEventListener("state", ({ detail }) => resolve(detail), { once: true });
      this.peer.addEventListener("connectionstatechange", () => {
        if (this.peer.connectionState === "failed") fail();
      });
    });
  }

  #watchForEnd() {
    this.control.addEventListener("closing", ({ detail }) => this.#resolveEnded(detail.reason));
    this.control.addEventListener("closed", () => this.#resolveEnded(null));
    this.peer.addEventListener("connectionstatechange", () => {
      const state = this.peer.connectionState;
      if (state === "failed" || state === "closed") this.#resolveEnded(null);
      if (state === "disconnected") {
        setTimeout(() => this.peer.connectionState === "disconnected" && this.#resolveEnded(null), RECOVERY_MS);
      }
    });
  }
}
