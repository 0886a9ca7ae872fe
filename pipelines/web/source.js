// Where the picture comes from: a camera, the screen, or a video file.

const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

/** Browsers hide cameras and screens from pages of insecure origins. */
class Insecure extends Error {
  name = "Insecure";
}

/** One source at a time. Event "ended": it was unplugged, or sharing was stopped. */
export class Source extends EventTarget {
  kind = null;
  stream = null;
  #player = null;
  #microphone = null;

  /** Open a camera, the usual one without an id. Throws what getUserMedia throws. */
  async camera(deviceId) {
    const video = { ...PICTURE, ...(deviceId && { deviceId: { exact: deviceId } }) };
    this.#use("camera", await devices().getUserMedia({ video }));
  }

  /** Let the user choose a screen or a window. */
  async screen() {
    const video = { frameRate: { ideal: 30 }, width: { max: 1920 }, height: { max: 1080 } };
    if (!devices().getDisplayMedia) throw new TypeError("there is no screen to be shared");
    this.#use("screen", await devices().getDisplayMedia({ video, audio: true }));
  }

  /** Play a video file, again and again. Throws where the browser cannot. */
  async file(file) {
    const player = document.createElement("video");
    Object.assign(player, { src: URL.createObjectURL(file), loop: true, muted: true,
                            playsInline: true });
    try {
      await player.play();
      const stream = player.captureStream?.() ?? player.mozCaptureStream();
      if (!stream.getVideoTracks().length) throw new TypeError("there is no picture in this file");
      this.#use("file", stream);
      this.#player = player;
    } catch (error) {
      URL.revokeObjectURL(player.src);
      throw error;
    }
  }

  get label() {
    return this.stream?.getVideoTracks()[0]?.label ?? "";
  }

  get deviceId() {
    return this.stream?.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** The tracks to send. Throws what getUserMedia throws where the microphone is refused. */
  async tracks(withSound) {
    const video = this.stream?.getVideoTracks()[0] ?? null;
    if (!withSound) {
      this.#silence();
      return { video, audio: null };
    }
    if (this.kind === "camera") return { video, audio: await this.#voice() };
    return { video, audio: this.stream?.getAudioTracks()[0] ?? null };
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.#player) {
      this.#player.pause();
      URL.revokeObjectURL(this.#player.src);
    }
    this.#silence();
    this.kind = this.stream = this.#player = null;
  }

  #use(kind, stream) {
    this.close();
    this.kind = kind;
    this.stream = stream;
    const [track] = stream.getVideoTracks();
    if (kind !== "screen") track.contentHint = "motion";
    track.addEventListener("ended", () => {
      if (this.stream === stream) this.dispatchEvent(new CustomEvent("ended"));
    });
  }

  async #voice() {
    this.#microphone ??= await devices().getUserMedia({ audio: true });
    return this.#microphone.getAudioTracks()[0];
  }

  #silence() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    this.#microphone = null;
  }
}

/** Whether the camera may be opened without asking. */
export async function allowed() {
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  return permission?.state === "granted";
}

/** The cameras there are: [{ id, label }]; without labels before one was allowed. */
export async function cameras() {
  if (!navigator.mediaDevices) return [];
  const found = await navigator.mediaDevices.enumerateDevices();
  return found.filter(({ kind }) => kind === "videoinput")
    .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `Camera ${index + 1}` }));
}

function devices() {
  if (!isSecureContext || !navigator.mediaDevices) throw new Insecure();
  return navigator.mediaDevices;
}
