// Answers that were given and not yet accepted by the server: kept in this browser, sent again until they are.
"use strict";

const SEND_S = 20; // for one answer to be accepted
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

class Outbox {
  // changed({waiting, loggedOut}) is called when something has; refused(entry, error) where an answer is not accepted
  constructor(person, changed, refused) {
    this.name = `steelsight.outbox.${person}`;
    this.changed = changed;
    this.refused = refused;
    this.loggedOut = false;
    this.failures = 0;
    this.answers = new Map(); // by key: what waits for the answer on this page
    this.sending = false;
    for (const name of ["online", "focus", "storage"]) window.addEventListener(name, () => this.flush());
    document.addEventListener("visibilitychange", () => document.hidden || this.flush());
  }

  get entries() {
    try {
      return JSON.parse(localStorage.getItem(this.name) || "[]");
    } catch {
      return [];
    }
  }

  // The entry is kept first; the promise gives the server's answer, or null where it was taken out or refused.
  add(address, body) {
    const entry = { key: randomHex(), address, body, at: Date.now() };
    this._write([...this.entries, entry]);
    const answer = new Promise((resolve) => this.answers.set(entry.key, resolve));
    this.flush();
    return { key: entry.key, answer };
  }

  // Take an entry out that was not sent yet; whether it was there.
  remove(key) {
    const entries = this.entries, left = entries.filter((each) => each.key !== key);
    if (left.length === entries.length || this.current === key) return false;
    this._write(left);
    this._resolve(key, null);
    return true;
  }

  // Send an entry again with a changed body.
  repeat(entry, changes) {
    this._write([...this.entries, { ...entry, body: { ...entry.body, ...changes } }]);
    this.flush();
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      let entry = this.entries[0];
      while (entry && (await this._send(entry))) entry = this.entries[0];
    } finally {
      this.sending = false;
      this.current = null;
      this._tell();
    }
  }

  async _send(entry) {
    this.current = entry.key;
    let answer, data;
    try {
      answer = await fetch(entry.address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": entry.key },
        body: JSON.stringify(entry.body),
        signal: AbortSignal.timeout(SEND_S * 1000),
      });
      data = await answer.json().catch(() => ({}));
    } catch {
      return this._later();
    }
    this.loggedOut = answer.status === 401;
    if (answer.status === 401 || answer.status >= 500 || answer.status === 429 || answer.status === 408) {
      return this._later();
    }
    this.failures = 0;
    this._write(this.entries.filter((each) => each.key !== entry.key));
    if (!answer.ok) this.refused(entry, data.error || { code: "error", message: String(answer.status) });
    this._resolve(entry.key, answer.ok ? data : null);
    return true;
  }

  _later() {
    const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.flush(), pause);
    return false;
  }

  _resolve(key, value) {
    const resolve = this.answers.get(key);
    this.answers.delete(key);
    if (resolve) resolve(value);
  }

  _write(entries) {
    if (entries.length) localStorage.setItem(this.name, JSON.stringify(entries));
    else localStorage.removeItem(this.name);
    this._tell();
  }

  _tell() {
    this.changed({ waiting: this.entries.length, failures: this.failures, loggedOut: this.loggedOut });
  }
}

function randomHex() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

window.Outbox = Outbox;
