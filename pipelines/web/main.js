// The page: its parts, and what happens when one of them changes.

import { ask, useToken } from "./api.js";
import { Capture } from "./capture.js";
import { Connection } from "./connection.js";
import { Cover } from "./cover.js";
import { Dials } from "./dials.js";
import { byId } from "./dom.js";
import { Figures } from "./figures.js";
import { hashOf, settingsOf } from "./link.js";
import { Looks } from "./looks.js";
import { tab } from "./memory.js";
import { Prompts } from "./prompts.js";
import { RemoteControl } from "./remote.js";
import { Settings } from "./settings.js";
import { SourceChoice } from "./source-choice.js";
import { Source, allowed } from "./source.js";
import { Stage } from "./stage.js";
import { offerThemes } from "./theme.js";
import { sentence, wordsOf, wordsOfSource } from "./words.js";

const RETRY_MS = 2000;
const NOTICE_MS = 6000;
const LINK_MS = 300;
const CAMERA_KEY = "turbolens.camera"; // in use when the page was left or loaded anew
const WELCOME = ["See the world in another look",
  "Every frame is repainted while you watch. The picture goes to this server and nowhere else."];
const STATES = { starting: "Starting", idle: "Ready", loading: "Loading", connecting: "Connecting",
                 live: "Live", reconnecting: "Reconnecting", ended: "Ended", refused: "Stopped" };

const cover = new Cover();
const stage = new Stage();
const source = new Source();
const figures = new Figures();
const capture = new Capture(stage.after, say);
let noticeTimer = null;

function say(text) {
  byId("notice").textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { byId("notice").textContent = ""; }, NOTICE_MS);
}

function showState(state) {
  byId("state").dataset.state = state;
  byId("state-words").textContent = STATES[state];
}

/** The schema and the first settings: as soon as the server gives them. */
async function loaded() {
  for (;;) {
    try {
      const [schema, { settings }] = await Promise.all([ask("api/schema"), ask("api/settings")]);
      return new Settings(schema, settings);
    } catch (error) {
      showState("refused");
      if (error.status === 401) await token(error);
      else await unreachable(error);
    }
  }
}

function token(error) {
  cover.show(wordsOf(error), "token");
  return new Promise((resolve) => cover.addEventListener("token", ({ detail }) => {
    useToken(detail);
    resolve();
  }, { once: true }));
}

function unreachable(error) {
  cover.show(wordsOf(error), "progress");
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

function welcome() {
  cover.show(isSecureContext ? WELCOME : wordsOfSource({ name: "Insecure" }), "sources");
  showState("idle");
}

class Page {
  #withSound = false;
  #linkTimer = null;

  constructor(settings) {
    this.settings = settings;
    settings.want(settingsOf(location.hash, settings.schema));
    this.looks = new Looks((look) => this.prompts.choose(look));
    this.prompts = new Prompts(settings, this.looks);
    this.connection = new Connection(settings);
    this.choice = new SourceChoice(source, (kind, what) => this.open(kind, what));
    this.dials = new Dials(settings);
    this.#listen();
  }

  /** Wait for the model, then welcome whoever came; who only reloads the page goes on. */
  async begin() {
    try {
      const { model, mode } = await this.connection.ready();
      this.#named(model);
      if (mode === "control") return this.#remote();
    } catch (error) {
      showState("refused");
      cover.show(wordsOf(error), "again");
      return undefined;
    }
    const camera = tab.kept(CAMERA_KEY);
    if (camera !== null && await allowed()) return this.open("camera", camera);
    return source.kind || welcome();
  }

  /** The program filters a camera of its own: there are only dials and figures here. */
  #remote() {
    document.body.dataset.mode = "control";
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
      this.#sourceFailed(error, kind);
      return;
    } finally {
      this.choice.show();
    }
    stage.mirror(kind === "camera");
    if (kind === "camera") tab.keep(CAMERA_KEY, what ?? "");
    else tab.forget(CAMERA_KEY);
    stage.showBefore(source.stream);
    byId("stop").hidden = false;
    await this.#send();
  }

  stop() {
    capture.stop();
    this.connection.stop();
    source.close();
    tab.forget(CAMERA_KEY);
    stage.clear();
    byId("stop").hidden = true;
    this.choice.show();
    welcome();
  }

  #listen() {
    this.connection.addEventListener("state", ({ detail }) => this.#changed(detail));
    this.connection.addEventListener("session", ({ detail }) => {
      figures.follow(detail);
      stage.showAfter(detail?.stream ?? null);
    });
    this.settings.addEventListener("change", () => this.#keepInLinkSoon());
    addEventListener("change", () => this.#keepInLink()); // of any dial, when it is let go
    this.settings.addEventListener("refused", ({ detail }) => say(sentence(detail.message)));
    source.addEventListener("ended", () => this.stop());
    cover.addEventListener("again", () => source.kind ? this.connection.start() : this.begin());
    cover.addEventListener("token", () => this.connection.start());
    const buttons = { stop: () => this.stop(), sound: () => this.#toggleSound(),
                      share: () => this.#share(), forget: () => this.#forget(),
                      defaults: () => this.settings.want(this.settings.defaults) };
    for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
  }

  #changed({ state, model, reason, error, first }) {
    showState(state);
    if (state === "loading") this.#loading(model);
    if (state === "connecting") cover.show(["Connecting", "One moment."], "progress");
    if (state === "live") {
      cover.hide();
      this.#named(first.model);
    }
    if (state === "reconnecting") this.#reconnecting(error);
    if (state === "ended") cover.show(["The session has ended", sentence(reason)], "again");
    if (state === "refused") this.#refused(error);
  }

  #loading({ message, seconds }) {
    const waited = seconds >= 2 ? ` ${Math.round(seconds)} s so far.` : "";
    cover.show(["The model is loading", sentence(message) + waited], "progress");
  }

  #reconnecting(error) {
    if (error) cover.show(wordsOf(error), "progress");
    else cover.banner("The connection was lost. It is being made again …");
  }

  /** Settings of a link may be beyond what this server allows: then it is tried without. */
  #refused(error) {
    if (error.status === 400 && Object.keys(this.settings.changed).length) {
      this.settings.want(this.settings.defaults);
      say(`The settings of the link were not taken: ${error.message}`);
      setTimeout(() => this.connection.start());
    } else {
      cover.show(wordsOf(error), error.status === 401 ? "token" : "again");
    }
  }

  #sourceFailed(error, kind) {
    const [title, text] = wordsOfSource(error, kind);
    if (this.connection.session) say(`${title}. ${text}`);
    else cover.show([title, text], "sources");
  }

  #named(model) {
    byId("model-name").textContent = [model.name, model.device].filter(Boolean).join(" · ");
    this.dials.showLoras(model.loras ?? {});
    this.looks.load(this.settings.values.prompt[0][0]).catch(() => {});
  }

  async #send() {
    this.#showSound(this.#withSound);
    try {
      await this.connection.send(await source.tracks(this.#withSound));
    } catch {
      this.#showSound(false);
      say("The microphone was refused, so there is no sound.");
      await this.connection.send(await source.tracks(false));
    }
  }

  async #toggleSound() {
    this.#showSound(!this.#withSound);
    if (source.kind) await this.#send();
  }

  /** One's own voice coming back late is unbearable: only other sounds are played here. */
  #showSound(on) {
    this.#withSound = on;
    byId("sound").setAttribute("aria-pressed", String(on));
    stage.after.muted = !on || source.kind === "camera";
  }

  /** While a dial moves only now and then: browsers count these. Once it is let go at once. */
  #keepInLinkSoon() {
    clearTimeout(this.#linkTimer);
    this.#linkTimer = setTimeout(() => this.#keepInLink(), LINK_MS);
  }

  #keepInLink() {
    clearTimeout(this.#linkTimer);
    const hash = hashOf(this.settings.changed);
    history.replaceState(null, "", hash || location.pathname + location.search);
  }

  async #share() {
    const link = location.href.split("#")[0] + hashOf(this.settings.changed);
    try {
      await navigator.clipboard.writeText(link);
      say("The link to these settings is copied.");
    } catch {
      prompt("The link to these settings:", link);
    }
  }

  #forget() {
    const control = this.remote ?? this.connection.session?.control;
    control?.ask("reset").then(() => say("The past is forgotten.")).catch(() => {});
  }
}

offerThemes();
showState("starting");
const page = new Page(await loaded());
await page.begin();
