// Connects the parts of the page with each other. Start reading here.

import { request, setToken } from "./api.js";
import { Call } from "./call.js";
import { Capture } from "./capture.js";
import { Connection } from "./connection.js";
import { Cover } from "./cover.js";
import { Dials } from "./dials.js";
import { byId } from "./dom.js";
import { Figures } from "./figures.js";
import { hashFromSettings, settingsFromHash } from "./link.js";
import { Looks } from "./looks.js";
import { sentence, serverErrorMessage, sourceErrorMessage } from "./messages.js";
import { initModels } from "./models.js";
import { Prompts } from "./prompts.js";
import { RemoteControl } from "./remote.js";
import { Settings } from "./settings.js";
import { SourceChoice } from "./source-choice.js";
import { Source, cameraAllowed } from "./source.js";
import { Stage } from "./stage.js";
import { tabStorage } from "./storage.js";
import { initTheme } from "./theme.js";

const RETRY_MS = 2000;
const NOTICE_MS = 6000;
const LINK_MS = 300;
const CAMERA_KEY = "turbolens.camera"; // the camera in use, for when the page is reloaded
const WELCOME = ["See the world in another look",
  "Every frame is restyled while you watch. The video goes to this server and nowhere else."];
const STATE_NAMES = { starting: "Starting", idle: "Ready", loading: "Loading", connecting: "Connecting",
                 live: "Live", reconnecting: "Reconnecting", ended: "Ended", refused: "Stopped" };

const cover = new Cover();
const stage = new Stage();
const source = new Source();
const figures = new Figures((delay) => stage.setDelay(delay));
const capture = new Capture(stage.after, notify);
let noticeTimer = null;

function notify(text) {
  byId("notice").textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { byId("notice").textContent = ""; }, NOTICE_MS);
}

function showState(state) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = STATE_NAMES[state];
}

/** The settings with their schema and defaults, once the server answers. */
async function loadSettings() {
  for (;;) {
    try {
      const [schema, { settings }] = await Promise.all([request("api/schema"), request("api/settings")]);
      return new Settings(schema, settings);
    } catch (error) {
      showState("refused");
      if (error.status === 401) await askForToken(error);
      else await waitForRetry(error);
    }
  }
}

function askForToken(error) {
  cover.show(serverErrorMessage(error), "token");
  return new Promise((resolve) => cover.addEventListener("token", ({ detail }) => {
    setToken(detail);
    resolve();
  }, { once: true }));
}

function waitForRetry(error) {
  cover.show(serverErrorMessage(error), "progress");
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

function showWelcome() {
  cover.show(isSecureContext ? WELCOME : sourceErrorMessage({ name: "InsecureContextError" }), "sources");
  showState("idle");
}

class Page {
  #withAudio = false;
  #linkTimer = null;

  constructor(settings) {
    this.settings = settings;
    settings.change(settingsFromHash(location.hash, settings.schema));
    this.looks = new Looks((look) => this.prompts.choose(look));
    this.prompts = new Prompts(settings, this.looks);
    this.connection = new Connection(settings);
    this.sourceChoice = new SourceChoice(source, (kind, what) => this.open(kind, what));
    this.dials = new Dials(settings);
    this.#listen();
  }

  /** Wait for the model, then show the welcome, or go on with the camera after a reload. */
  async start() {
    try {
      const { model, mode, call } = await this.connection.modelReady();
      this.#showModel(model);
      initModels(mode, model.name);
      if (mode === "control") return this.#startRemoteControl(call);
    } catch (error) {
      showState("refused");
      cover.show(serverErrorMessage(error), "again");
      return undefined;
    }
    const camera = tabStorage.get(CAMERA_KEY);
    if (camera !== null && await cameraAllowed()) return this.open("camera", camera);
    return source.kind || showWelcome();
  }

  /** The program filters its own camera: show only dials and figures, and its call if it has one. */
  #startRemoteControl(withCall) {
    document.body.dataset.mode = "control";
    if (withCall) new Call((text) => notify(sentence(text)), () => this.looks.draw()).start();
    this.remote = new RemoteControl(this.settings);
    this.remote.addEventListener("state", ({ detail: { state, statistics } }) => {
      showState(state);
      figures.show(statistics);
    });
    this.remote.start();
  }

  async open(kind, what) {
    try {
      await source[kind](what);
    } catch (error) {
      this.#showSourceError(error, kind);
      return;
    } finally {
      this.sourceChoice.show();
    }
    stage.setMirror(kind === "camera");
    if (kind === "camera") tabStorage.set(CAMERA_KEY, what ?? "");
    else tabStorage.remove(CAMERA_KEY);
    stage.showBefore(source.stream);
    byId("stop").hidden = false;
    await this.#send();
  }

  stop() {
    capture.stop();
    this.connection.stop();
    source.close();
    tabStorage.remove(CAMERA_KEY);
    stage.clear();
    byId("stop").hidden = true;
    this.sourceChoice.show();
    showWelcome();
  }

  #listen() {
    this.connection.addEventListener("state", ({ detail }) => this.#stateChanged(detail));
    this.connection.addEventListener("session", ({ detail }) => {
      figures.follow(detail);
      stage.showAfter(detail?.stream ?? null);
    });
    this.settings.addEventListener("change", () => this.#storeInLinkSoon());
    addEventListener("change", () => this.#storeInLink()); // of any dial, when it is released
    this.settings.addEventListener("refused", ({ detail }) => notify(sentence(detail.message)));
    source.addEventListener("ended", () => this.stop());
    cover.addEventListener("again", () => source.kind ? this.connection.start() : this.start());
    cover.addEventListener("token", () => this.connection.start());
    const buttons = { stop: () => this.stop(), sound: () => this.#toggleAudio(),
                      share: () => this.#share(), forget: () => this.#resetFilter(),
                      defaults: () => this.settings.change(this.settings.defaults) };
    for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
  }

  #stateChanged({ state, model, reason, error, first }) {
    showState(state);
    if (state === "loading") this.#showLoading(model);
    if (state === "connecting") cover.show(["Connecting", "One moment."], "progress");
    if (state === "live") {
      cover.hide();
      this.#showModel(first.model);
    }
    if (state === "reconnecting") this.#showReconnecting(error);
    if (state === "ended") cover.show(["The session has ended", sentence(reason)], "again");
    if (state === "refused") this.#handleRefusal(error);
  }

  #showLoading({ message, seconds }) {
    const waited = seconds >= 2 ? ` ${Math.round(seconds)} s so far.` : "";
    cover.show(["The model is loading", sentence(message) + waited], "progress");
  }

  #showReconnecting(error) {
    if (error) cover.show(serverErrorMessage(error), "progress");
    else cover.showBanner("The connection was lost. Reconnecting …");
  }

  /** The settings of a link may exceed the limits of this server: then try without them. */
  #handleRefusal(error) {
    if (error.status === 400 && Object.keys(this.settings.changed).length) {
      this.settings.change(this.settings.defaults);
      notify(`The server refused the settings of the link: ${error.message}`);
      setTimeout(() => this.connection.start());
    } else {
      cover.show(serverErrorMessage(error), error.status === 401 ? "token" : "again");
    }
  }

  #showSourceError(error, kind) {
    const [title, text] = sourceErrorMessage(error, kind);
    if (this.connection.session) notify(`${title}. ${text}`);
    else cover.show([title, text], "sources");
  }

  #showModel(model) {
    byId("model-name").textContent = [model.name, model.device].filter(Boolean).join(" · ");
    this.dials.showLoras(model.loras ?? {});
    this.looks.load(this.settings.values.prompt[0][0]).catch(() => {});
    this.prompts.modelLoaded();
  }

  async #send() {
    this.#showAudio(this.#withAudio);
    try {
      await this.connection.send(await source.tracks(this.#withAudio));
    } catch {
      this.#showAudio(false);
      notify("The microphone was refused, so there is no audio.");
      await this.connection.send(await source.tracks(false));
    }
  }

  async #toggleAudio() {
    this.#showAudio(!this.#withAudio);
    if (source.kind) await this.#send();
  }

  /** The user's own voice is not played back: it would come with a delay. */
  #showAudio(on) {
    this.#withAudio = on;
    byId("sound").setAttribute("aria-pressed", String(on));
    stage.after.muted = !on || source.kind === "camera";
  }

  /** Browsers limit how often the address may change, so wait while a dial moves. */
  #storeInLinkSoon() {
    clearTimeout(this.#linkTimer);
    this.#linkTimer = setTimeout(() => this.#storeInLink(), LINK_MS);
  }

  #storeInLink() {
    clearTimeout(this.#linkTimer);
    const hash = hashFromSettings(this.settings.changed);
    history.replaceState(null, "", hash || location.pathname + location.search);
  }

  async #share() {
    const link = location.href.split("#")[0] + hashFromSettings(this.settings.changed);
    try {
      await navigator.clipboard.writeText(link);
      notify("The link to these settings is copied.");
    } catch {
      prompt("The link to these settings:", link);
    }
  }

  #resetFilter() {
    const control = this.remote ?? this.connection.session?.control;
    control?.request("reset").then(() => notify("The past is forgotten.")).catch(() => {});
  }
}

initTheme();
showState("starting");
const page = new Page(await loadSettings());
await page.start();
