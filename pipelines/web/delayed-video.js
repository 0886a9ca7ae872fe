// Shows a <video> late, so that it stays in step with another one.

const MAX_DELAY_MS = 2000;
const MAX_FRAMES = 60; // 2 s at 30 fps
const MAX_WIDTH = 960; // wider frames are reduced: all of them are kept in memory
const MIN_DELAY_MS = 20; // less than a frame: not worth a copy
const FOLLOWING = 0.5; // share of a change of the delay that is applied at once

/** Draws the frames of a <video> on a <canvas> above it, some time after they were captured. The
 * canvas is hidden while there is no delay, and in browsers without requestVideoFrameCallback. */
export class DelayedVideo {
  #video;
  #canvas;
  #frames = []; // { at, image }, oldest first
  #delay = 0;
  #running = false;
  #generation = 0; // frames of an earlier stream are not drawn

  constructor(video, canvas) {
    this.#video = video;
    this.#canvas = canvas;
  }

  /** Follow this delay in milliseconds. At 0 the video is shown as it is. */
  setDelay(milliseconds) {
    const wanted = Math.min(MAX_DELAY_MS, Math.max(0, milliseconds));
    if (wanted < MIN_DELAY_MS || !this.#video.requestVideoFrameCallback) return this.clear();
    this.#delay = this.#delay ? this.#delay + FOLLOWING * (wanted - this.#delay) : wanted;
    return this.#start();
  }

  /** Forget all frames, and show the video as it is. */
  clear() {
    this.#generation += 1;
    this.#running = false;
    this.#delay = 0;
    this.#canvas.hidden = true;
    for (const { image } of this.#frames.splice(0)) image.close();
  }

  #start() {
    if (this.#running) return;
    this.#running = true;
    const generation = this.#generation;
    const capture = () => {
      if (generation !== this.#generation) return;
      this.#video.requestVideoFrameCallback(capture);
      this.#keepFrame(generation);
    };
    const draw = () => {
      if (generation !== this.#generation) return;
      requestAnimationFrame(draw);
      this.#drawDue();
    };
    this.#video.requestVideoFrameCallback(capture);
    draw();
  }

  async #keepFrame(generation) {
    const at = performance.now();
    const width = Math.min(MAX_WIDTH, this.#video.videoWidth);
    const image = await createImageBitmap(this.#video, { resizeWidth: width }).catch(() => null);
    if (!image) return;
    if (generation !== this.#generation) {
      image.close();
      return;
    }
    this.#frames.push({ at, image });
    if (this.#frames.length > MAX_FRAMES) this.#frames.shift().image.close();
  }

  /** Draw the newest frame that is old enough; close it and those before it. */
  #drawDue() {
    const latest = performance.now() - this.#delay;
    const due = this.#frames.findLastIndex(({ at }) => at <= latest);
    if (due < 0) return;
    const drawn = this.#frames.splice(0, due + 1);
    const { image } = drawn.at(-1);
    const { width, height } = image;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
    }
    this.#canvas.getContext("2d").drawImage(image, 0, 0);
    this.#canvas.hidden = false;
    for (const each of drawn) each.image.close();
  }
}
