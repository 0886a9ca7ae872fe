// What is wrong, in plain words: a title, and what to do about it.

const CAMERA = {
  NotAllowedError: ["The camera was refused",
    "Allow it by the camera sign beside the address, or in the browser's settings, and try again."],
  NotFoundError: ["No camera was found",
    "Plug one in and try again, or share the screen, or open a video file."],
  NotReadableError: ["The camera is busy",
    "Another program uses it. Close that one and try again."],
  OverconstrainedError: ["That camera is gone", "Choose another one below the picture."],
  AbortError: ["The camera did not start", "Unplug it, plug it in again, and try once more."],
  SecurityError: ["The browser forbids the camera",
    "Its settings, or who manages this device, do not allow pages to use it."],
};

const INSECURE = ["This page is not secure",
  "Browsers give cameras and screens only to HTTPS pages and to localhost. Start the server with "
  + "--tls-self-signed, or open the page on the server itself. A video file works here too."];

const FILE = ["This video cannot be played",
  "Try one in another format: MP4 with H.264, or WebM."];

const SCREEN = {
  NotAllowedError: ["No screen was shared", "Choose a window or a screen when the browser asks."],
  other: ["The screen cannot be shared",
    "This browser does not offer it. Use the camera, or open a video file."],
};

const REFUSED = {
  401: ["This server wants its token",
    "It is in the link that the server printed when it started, behind #token=."],
  403: ["This server does not know this address", null],
  406: ["No codec in common", "The server takes VP8 and H.264 video. Try another browser."],
  413: ["Too much at once", null],
};

const SERVER = {
  NoWay: ["The picture finds no way",
    "The server answers, but video cannot get through: a firewall may block UDP. "
    + "Try another network, or start the server with --turn, or --public-ip."],
  Unreachable: ["The server does not answer",
    "It may have been stopped, or the network is gone. This page tries again by itself."],
  ReferenceError: ["This browser has no WebRTC",
    "Switch it on in its settings, or use another browser."],
};

/** [title, text] for an error of a source: camera, screen or file. */
export function wordsOfSource(error, kind) {
  if (error.name === "Insecure") return INSECURE;
  if (kind === "file") return FILE;
  if (kind === "screen") return SCREEN[error.name] ?? SCREEN.other;
  return CAMERA[error.name] ?? ["The camera did not start", sentence(error.message)];
}

/** [title, text] for an error of the server or of the way to it. */
export function wordsOf(error) {
  if (error.name in SERVER) return SERVER[error.name];
  if (error.name !== "Refusal") return ["Something is wrong", sentence(error.message)];
  if (error.status === 503) return wordsOfBusy(error.message);
  const [title, text] = REFUSED[error.status] ?? ["The server said no", null];
  return [title, text ?? sentence(error.message)];
}

function wordsOfBusy(detail) {
  if (/load|first picture/.test(detail)) {
    return ["The model is loading", "The picture comes as soon as it is there."];
  }
  if (/shut/.test(detail)) return ["The server restarts", "The picture comes back by itself."];
  return ["The server is full", `${sentence(detail)} This page tries again by itself.`];
}

/** "a reason" → "A reason." */
export function sentence(text) {
  if (!text) return "";
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
