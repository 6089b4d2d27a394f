// Files on their way up: one after the other, each in pieces, with a bar and "Cancel".

import { $, xsrf } from "./page.js";

// Proxies on the way often take no more than some megabytes at once.
const PIECE_BYTES = 8 * 1024 * 1024;
const TRIES = 6;
const FIRST_WAIT_MS = 500;
const AWAY = [0, 502, 503, 504];

const headers = { "X-XSRFToken": xsrf };
const list = $("files-uploads");

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];
export function size(bytes) {
  const power = Math.min(SIZES.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const number = bytes / 1000 ** power;
  return `${power && number < 100 ? number.toFixed(1) : Math.round(number)} ${SIZES[power]}`;
}

class Refused extends Error {}

let last = Promise.resolve();
const underway = new Set();

addEventListener("beforeunload", (event) => {
  if (underway.size) event.preventDefault();
});

export function cancelAll() {
  for (const one of underway) one.cancel();
}

// `where` is {place, path}; `done` gets the name under which the file was kept.
export function upload(file, where, done) {
  const one = new Upload(file, where);
  underway.add(one);
  last = last.then(() => one.run(done)).finally(() => underway.delete(one));
}

class Upload {
  constructor(file, where) {
    this.file = file;
    this.where = where;
    this.cancelled = false;
    this.line = document.createElement("li");
    this.name = document.createElement("span");
    this.name.textContent = file.name;
    this.bar = document.createElement("progress");
    this.bar.max = Math.max(1, file.size);
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", file.name);
    this.text = document.createElement("span");
    this.text.textContent = "Waits";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.textContent = "Cancel";
    this.button.setAttribute("aria-label", `Cancel ${file.name}`);
    this.button.addEventListener("click", () => this.cancel());
    this.line.append(this.name, this.bar, this.text, this.button);
    list.append(this.line);
    list.hidden = false;
  }

  async run(done) {
    try {
      const name = await this.send();
      done(name);
      this.end("");
    } catch (error) {
      this.forget();
      const why = error instanceof Refused ? error.message : "This file cannot be read.";
      this.end(this.cancelled ? "" : why);
    }
  }

  async send() {
    this.stopIfCancelled();
    // A folder looks like a file until it is read.
    await this.file.slice(0, 1).arrayBuffer();
    const { upload } = await this.ask("POST", "files/upload", {
      ...this.where,
      name: this.file.name,
      size: this.file.size,
    });
    this.address = `files/upload/${upload}`;
    this.began = performance.now();
    for (let at = 0; at < this.file.size; at += PIECE_BYTES) await this.piece(at);
    this.text.textContent = "Is being written";
    const { name } = await this.ask("POST", this.address);
    this.address = null;
    return name;
  }

  async ask(method, address, wish) {
    this.stopIfCancelled();
    let answer;
    try {
      answer = await fetch(address, { method, headers, body: wish && JSON.stringify(wish) });
    } catch {
      throw new Refused("The session does not answer.");
    }
    if (!answer.ok) throw new Refused((await answer.text()).trim());
    return answer.json();
  }

  async piece(at) {
    for (let tries = 1; ; tries++) {
      this.stopIfCancelled();
      const { status, text } = await this.put(at, this.file.slice(at, at + PIECE_BYTES));
      if (status === 200) return;
      this.stopIfCancelled();
      if (!AWAY.includes(status)) throw new Refused(text.trim() || "The upload was refused.");
      if (tries === TRIES) throw new Refused("The connection was lost, or the file has changed.");
      this.text.textContent = "Connection lost – trying again";
      await new Promise((wake) => setTimeout(wake, FIRST_WAIT_MS * 2 ** tries));
    }
  }

  // Not by fetch, which does not say how far it is.
  put(at, data) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open("PUT", `${this.address}?at=${at}`);
      request.setRequestHeader("X-XSRFToken", xsrf);
      request.upload.addEventListener("progress", (event) => this.show(at + event.loaded));
      request.addEventListener("loadend", () =>
        resolve({ status: request.status, text: request.responseText }),
      );
      request.send(data);
    });
  }

  show(bytes) {
    this.bar.value = bytes;
    const rate = (1000 * bytes) / Math.max(1, performance.now() - this.began);
    this.text.textContent = `${size(bytes)} of ${size(this.file.size)}, ${size(rate)}/s`;
  }

  stopIfCancelled() {
    if (this.cancelled) throw new Refused("");
  }

  cancel() {
    this.cancelled = true;
    this.request?.abort();
    this.forget();
  }

  // Sent even when the page is being left.
  forget() {
    if (!this.address) return;
    fetch(this.address, { method: "DELETE", headers, keepalive: true }).catch(() => {});
    this.address = null;
  }

  end(why) {
    if (why) {
      this.bar.remove();
      this.line.className = "failed";
      this.text.textContent = why;
      this.text.setAttribute("role", "alert");
      this.button.textContent = "Take off the list";
      this.button.setAttribute("aria-label", `Take ${this.file.name} off the list`);
      this.button.addEventListener("click", () => this.remove());
    } else {
      this.remove();
    }
  }

  remove() {
    this.line.remove();
    list.hidden = !list.children.length;
  }
}
