// The settings: the values shown on the page, kept in step with those of the server.

const PAUSE_MS = 50; // 20 messages per second while a dial moves; the server allows 60

const REFUSED = ["ControlError", "RequestError"]; // the others are lost connections

const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** All settings by name. Event "change": `detail.names` have new values; `detail.byUser` is true if
 * they were changed on this page. Event "refused" (`detail`: the error): the server refused a change. */
export class Settings extends EventTarget {
  #unsent = {}; // changed here, not yet sent to the server
  #sending = null;
  #control = null;

  constructor(schema, defaults) {
    super();
    this.schema = schema.properties;
    this.defaults = defaults;
    this.values = { ...defaults };
  }

  /** The settings that differ from the server's defaults. */
  get changed() {
    return Object.fromEntries(
      Object.entries(this.values).filter(([name, value]) => !equal(value, this.defaults[name])));
  }

  /** Change settings, and send them to the server once there is a connection. */
  change(changes) {
    Object.assign(this.#unsent, changes);
    this.#apply(changes, true);
    this.#flush();
  }

  /** Take over the values of the server, except those that were changed here meanwhile. */
  adopt(values) {
    this.#apply({ ...values, ...this.#unsent }, false);
  }

  /** Send changes to this session from now on, or to none if null. It has the current values. */
  connect(control) {
    this.#control = control;
    if (control) this.#flush();
    else this.#unsent = {};
  }

  #apply(changes, byUser) {
    const names = Object.keys(changes).filter((name) => !equal(changes[name], this.values[name]));
    Object.assign(this.values, changes);
    if (names.length) {
      this.dispatchEvent(new CustomEvent("change", { detail: { names, byUser } }));
    }
  }

  /** Send one message at a time, each with all changes since the one before. */
  async #flush() {
    if (this.#sending || !this.#control) return;
    this.#sending = true;
    while (Object.keys(this.#unsent).length && this.#control) {
      await this.#send(this.#control);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#sending = false;
  }

  async #send(control) {
    const changes = this.#unsent;
    this.#unsent = {};
    try {
      this.adopt((await control.request("set", changes)).settings);
    } catch (error) {
      if (!REFUSED.includes(error.name)) return; // the next session starts with the new values
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
      const current = await control.request("get").catch(() => null);
      if (current) this.adopt(current.settings);
    }
  }
}
