// One session: a peer connection with the server, from the offer to its end.

import { ask, end } from "./api.js";
import { Control } from "./control.js";

const GATHER_MS = 2500;
const CONNECT_MS = 15_000;
const LOST_MS = 4000; // "disconnected" may mend itself; after this it will not

/** No way was found for the picture, although the server answered. */
export class NoWay extends Error {
  constructor() {
    super("no way for the picture was found");
    this.name = "NoWay";
  }
}

/** `open` it, then wait for `ended`: a reason in words, or null where the connection was lost.
 * `stream` is what comes back, `control` speaks with the server. */
export class Session {
  stream = new MediaStream();
  #senders = {};
  #location = null;

  constructor(iceServers) {
    this.peer = new RTCPeerConnection({ iceServers });
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.peer.addEventListener("track", ({ track }) => this.stream.addTrack(track));
  }

  #end;

  /** Connect, and send these tracks with these first settings. Throws `Refusal`, `Unreachable`,
   * `NoWay`; the session is closed then. Gives the server's first message. */
  async open({ video, audio, settings }) {
    try {
      for (const [kind, track] of [["video", video], ["audio", audio]]) {
        const transceiver = this.peer.addTransceiver(track ?? kind, { direction: "sendrecv" });
        this.#senders[kind] = transceiver.sender;
      }
      const channel = this.peer.createDataChannel("control");
      this.control = new Control(channel);
      await this.peer.setLocalDescription();
      await this.#gathered();
      const answer = await ask("api/sessions", {
        method: "POST", body: { sdp: this.peer.localDescription.sdp, settings },
      });
      this.#location = `api/sessions/${encodeURIComponent(answer.id)}`;
      const state = this.#firstMessage();
      await this.peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      const first = await state;
      this.#watch();
      return first;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Send another track from now on; none with null. */
  async replace(kind, track) {
    await this.#senders[kind]?.replaceTrack(track);
  }

  close() {
    if (this.peer.connectionState !== "closed" && this.#location) end(this.#location);
    this.peer.close();
    this.#end(null);
  }

  async #gathered() {
    if (this.peer.iceGatheringState === "complete") return;
    await new Promise((resolve) => {
      setTimeout(resolve, GATHER_MS);
      this.peer.addEventListener("icegatheringstatechange",
        () => this.peer.iceGatheringState === "complete" && resolve());
    });
  }

  #firstMessage() {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new NoWay());
      setTimeout(giveUp, CONNECT_MS);
      this.control.addEventListener("state", ({ detail }) => resolve(detail), { once: true });
      this.peer.addEventListener("connectionstatechange", () => {
        if (this.peer.connectionState === "failed") giveUp();
      });
    });
  }

  #watch() {
    this.control.addEventListener("closing", ({ detail }) => this.#end(detail.reason));
    this.control.addEventListener("closed", () => this.#end(null));
    this.peer.addEventListener("connectionstatechange", () => {
      const state = this.peer.connectionState;
      if (state === "failed" || state === "closed") this.#end(null);
      if (state === "disconnected") {
        setTimeout(() => this.peer.connectionState === "disconnected" && this.#end(null), LOST_MS);
      }
    });
  }
}
