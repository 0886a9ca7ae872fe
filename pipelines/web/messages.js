// Messages for errors: a title, and what to do about it.

const CAMERA = {
  NotAllowedError: ["The camera was refused",
    "Allow it with the camera icon beside the address, or in the browser's settings, and try again."],
  NotFoundError: ["No camera was found",
    "Plug one in and try again, or share the screen, or open a video file."],
  NotReadableError: ["The camera is busy",
    "Another program uses it. Close that one and try again."],
  OverconstrainedError: ["That camera is gone", "Choose another one below the picture."],
  AbortError: ["The camera did not start", "Unplug it, plug it in again, and try once more."],
  SecurityError: ["The browser forbids the camera",
    "Its settings, or the administrator of this device, do not allow pages to use it."],
};

const INSECURE = ["This page is not secure",
  "Browsers allow cameras and screens only on HTTPS pages and on localhost. Start the server with "
  + "--tls-self-signed, or open the page on the server itself. A video file works here too."];

const FILE = ["This video cannot be played",
  "Try one in another format: MP4 with H.264, or WebM."];

const SCREEN = {
  NotAllowedError: ["No screen was shared", "Choose a window or a screen when the browser asks."],
  other: ["The screen cannot be shared",
    "This browser does not offer it. Use the camera, or open a video file."],
};

const WRONG_TOKEN = ["This token is wrong",
  "Copy it again from the link that the server printed when it started, after #token=. "
  + "A server that was started anew may have another."];

const BY_STATUS = {
  401: ["This server needs a token",
    "It is in the link that the server printed when it started, after #token=."],
  403: ["This server does not know this address", null],
  406: ["No codec in common", "The server takes VP8 and H.264 video. Try another browser."],
  413: ["Too much at once", null],
};

const BY_NAME = {
  MediaConnectionError: ["The video cannot connect",
    "The server answers, but video does not get through: a firewall may block UDP. "
    + "Try another network, or start the server with --turn, or --public-ip."],
  UnreachableError: ["The server does not answer",
    "It may have been stopped, or the network is down. This page tries again by itself."],
  ReferenceError: ["This browser has no WebRTC",
    "Switch it on in its settings, or use another browser."],
};

/** [title, text] for an error of a source: camera, screen or file. */
export function sourceErrorMessage(error, kind) {
  if (error.name === "InsecureContextError") return INSECURE;
  if (kind === "file") return FILE;
  if (kind === "screen") return SCREEN[error.name] ?? SCREEN.other;
  return CAMERA[error.name] ?? ["The camera did not start", sentence(error.message)];
}

/** [title, text] for an error of the server or of the connection to it. */
export function serverErrorMessage(error) {
  if (error.name in BY_NAME) return BY_NAME[error.name];
  if (error.name !== "RequestError") return ["Something went wrong", sentence(error.message)];
  if (error.wrongToken) return WRONG_TOKEN;
  if (error.status === 503) return unavailableMessage(error.message);
  const [title, text] = BY_STATUS[error.status] ?? ["The server refused", null];
  return [title, text ?? sentence(error.message)];
}

function unavailableMessage(detail) {
  if (/load|first picture/.test(detail)) {
    return ["The model is loading", "The video starts as soon as it is loaded."];
  }
  if (/shut/.test(detail)) return ["The server restarts", "The video comes back by itself."];
  return ["The server is full", `${sentence(detail)} This page tries again by itself.`];
}

/** "a reason" → "A reason." */
export function sentence(text) {
  if (!text) return "";
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
