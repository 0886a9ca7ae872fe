// The source of the video: a camera, the screen, or a video file.

const VIDEO = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

/** Browsers allow cameras and screens only in secure contexts. */
class InsecureContextError extends Error {
  name = "InsecureContextError";
}

/** At most one source is open. Event "ended": it was unplugged, or sharing was stopped. */
export class Source extends EventTarget {
  kind = null;
  stream = null;
  #player = null;
  #microphone = null;

  /** Open a camera, the default one without an id. Throws the errors of getUserMedia. */
  async camera(deviceId) {
    const video = { ...VIDEO, ...(deviceId && { deviceId: { exact: deviceId } }) };
    this.#use("camera", await mediaDevices().getUserMedia({ video }));
  }

  /** Let the user share a screen or a window. */
  async screen() {
    const video = { frameRate: { ideal: 30 }, width: { max: 1920 }, height: { max: 1080 } };
    if (!mediaDevices().getDisplayMedia) throw new TypeError("screens cannot be shared here");
    this.#use("screen", await mediaDevices().getDisplayMedia({ video, audio: true }));
  }

  /** Play a video file in a loop. Throws if the browser cannot decode it. */
  async file(file) {
    const player = document.createElement("video");
    Object.assign(player, { src: URL.createObjectURL(file), loop: true, muted: true,
                            playsInline: true });
    try {
      await player.play();
      const stream = player.captureStream?.() ?? player.mozCaptureStream();
      if (!stream.getVideoTracks().length) throw new TypeError("there is no video in this file");
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

  /** The tracks to send. Throws the errors of getUserMedia if the microphone is refused. */
  async tracks(withAudio) {
    const video = this.stream?.getVideoTracks()[0] ?? null;
    if (!withAudio) {
      this.#stopMicrophone();
      return { video, audio: null };
    }
    if (this.kind === "camera") return { video, audio: await this.#microphoneTrack() };
    return { video, audio: this.stream?.getAudioTracks()[0] ?? null };
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.#player) {
      this.#player.pause();
      URL.revokeObjectURL(this.#player.src);
    }
    this.#stopMicrophone();
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

  async #microphoneTrack() {
    this.#microphone ??= await mediaDevices().getUserMedia({ audio: true });
    return this.#microphone.getAudioTracks()[0];
  }

  #stopMicrophone() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    this.#microphone = null;
  }
}

/** True if the camera can be opened without asking the user. */
export async function cameraAllowed() {
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  return permission?.state === "granted";
}

/** The available cameras: [{ id, label }]. Browsers hide the labels until one is allowed. */
export async function cameras() {
  if (!navigator.mediaDevices) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind }) => kind === "videoinput")
    .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `Camera ${index + 1}` }));
}

function mediaDevices() {
  if (!isSecureContext || !navigator.mediaDevices) throw new InsecureContextError();
  return navigator.mediaDevices;
}
