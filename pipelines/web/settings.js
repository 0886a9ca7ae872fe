// The settings: what the user wants, what the server has, and the way from one to the other.

const PAUSE_MS = 50; // 20 messages a second while a dial is moved; the server takes 60

const REFUSALS = ["ControlError", "Refusal"];

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** All settings by name. Event "change": some have other values; `detail.names`, and
 * `detail.wanted`: by the user here. Event "refused" (`detail`: the error): the server took none. */
export class Settings extends EventTarget {
  #pending = {}; // wanted here, not yet told to the server
  #sending = null;
  #control = null;

  constructor(schema, defaults) {
    super();
    this.schema = schema.properties;
    this.defaults = defaults;
    this.values = { ...defaults };
  }

  /** Those that differ from the server's defaults. */
  get changed() {
    return Object.fromEntries(
      Object.entries(this.values).filter(([name, value]) => !same(value, this.defaults[name])));
  }

  /** The user wants this; the server is told as soon as it can be. */
  want(changes) {
    Object.assign(this.#pending, changes);
    this.#take(changes, true);
    this.#flush();
  }

  /** The server says that this is so; what was wanted meanwhile is kept. */
  adopt(values) {
    this.#take({ ...values, ...this.#pending }, false);
  }

  /** Tell a session from now on, none with null. It began with the values of now. */
  connect(control) {
    this.#control = control;
    if (control) this.#flush();
    else this.#pending = {};
  }

  #take(changes, wanted) {
    const names = Object.keys(changes).filter((name) => !same(changes[name], this.values[name]));
    Object.assign(this.values, changes);
    if (names.length) {
      this.dispatchEvent(new CustomEvent("change", { detail: { names, wanted } }));
    }
  }

  /** One message at a time, with all that has changed since the last one. */
  async #flush() {
    if (this.#sending || !this.#control) return;
    this.#sending = true;
    while (Object.keys(this.#pending).length && this.#control) {
      await this.#send(this.#control);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#sending = false;
  }

  async #send(control) {
    const changes = this.#pending;
    this.#pending = {};
    try {
      this.adopt((await control.ask("set", changes)).settings);
    } catch (error) {
      if (!REFUSALS.includes(error.name)) return; // the next session begins with what is wanted
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
      const now = await control.ask("get").catch(() => null);
      if (now) this.adopt(now.settings);
    }
  }
}
