// The desktop's page: shows the X server's picture, says what the program is doing, keeps the
// connection. `novnc.js` beside it is noVNC's core/rfb.js in one file, made by `make`.

import "./files.js";
import { endIn } from "./end.js";
import RFB from "./novnc.js";
import { noticesIn } from "./notices.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15000;
const SLOW_START_MS = 20000;

const $ = (id) => document.getElementById(id);
const title = document.body.dataset.title;
const xsrf = document.querySelector("meta[name=xsrf]").content;
const socketAddress = new URL("rfb", location.href);
socketAddress.protocol = location.protocol === "https:" ? "wss:" : "ws:";

let rfb = null;
let connected = false;
let phase = "starting";
let wait = FIRST_WAIT_MS;
let retry = null;
let strangers = 0;
let over = false;

// ---- what the page says ----------------------------------------------------------------

let slow = null;

function show({ message, advice = "", actions = false, log = false, kind = "" }) {
  $("cover").hidden = false;
  $("cover").className = kind;
  $("message").textContent = message;
  $("advice").textContent = advice;
  $("advice").hidden = !advice;
  $("actions").hidden = !actions;
  $("log").hidden = !log;
  $("progress").hidden = actions;
  document.body.dataset.phase = phase;
}

function showPhase(state) {
  phase = state.phase;
  clearTimeout(slow);
  if (phase === "starting") {
    show({ message: `Starting ${title}…`, kind: connected ? "aside" : "" });
    slow = setTimeout(saySlow, SLOW_START_MS);
  } else if (phase === "running") {
    $("cover").hidden = true;
    document.body.dataset.phase = phase;
    if (!document.querySelector("#bar:focus-within, #notices:focus-within, dialog[open]")) rfb?.focus();
  } else {
    showEnd(state.status);
  }
}

function saySlow() {
  show({
    message: `${title} takes longer than usual.`,
    advice: "It may be waiting for an answer in its window.",
    kind: "aside",
  });
}

function showEnd(status) {
  rfb?.blur();
  const ends = {
    missing: [`${title} is not installed here.`, "Tell the people who run this portal."],
    failed: [`${title} has stopped with an error.`, "Your files are kept."],
    ended: [`${title} has ended.`, "Your files are kept."],
  };
  const how = phase === "missing" ? "missing" : status === 0 ? "ended" : "failed";
  const [message, advice] = ends[how];
  show({ message, advice, actions: true, log: how === "failed", kind: "ended" });
  $("again").hidden = how === "missing";
  (how === "missing" ? $("back") : $("again")).focus();
}

// The last word of this page: nothing is tried again by itself.
function last(said, button) {
  over = true;
  clearTimeout(retry);
  clearTimeout(slow);
  states.close();
  rfb?.disconnect();
  $("clipboard").close();
  $("line").hidden = true;
  show({ ...said, actions: true, kind: "ended" });
  $("again").hidden = true;
  $("end-ended")?.remove();
  $("sign-in").hidden = button !== "sign-in";
  $(button).focus();
}

function sessionOver() {
  last({ message: "This session has ended.", advice: "Your files are kept." }, "back");
  tell([]);
}

const signedOut = () =>
  last({ message: "You are no longer signed in.", advice: `${title} keeps running.` }, "sign-in");

// The whole page goes through the login and comes back to this address.
$("sign-in").addEventListener("click", () => location.reload());

$("again").addEventListener("click", async () => {
  $("again").disabled = true;
  try {
    await fetch("again", { method: "POST", headers: { "X-XSRFToken": xsrf } });
  } finally {
    $("again").disabled = false;
  }
});

$("log").addEventListener("toggle", async () => {
  if (!$("log").open) return;
  const answer = await fetch("log");
  $("log-text").textContent = (answer.ok && (await answer.text()).trim()) || "Nothing was said.";
});

// ---- the program's state ----------------------------------------------------------------

const states = new EventSource("state");
states.onmessage = (event) => {
  if (!over) showPhase(JSON.parse(event.data));
};

// ---- what the hub wants the person to read ------------------------------------------------

const tell = noticesIn($("notices"), () => rfb?.focus());
states.addEventListener("notices", (event) => tell(JSON.parse(event.data)));

endIn(states, sessionOver);

// ---- the picture -------------------------------------------------------------------------

function connect() {
  clearTimeout(retry);
  rfb = new RFB($("screen"), socketAddress.href);
  rfb.background = "transparent";
  rfb.resizeSession = true;
  rfb.scaleViewport = true;
  rfb.addEventListener("connect", () => {
    connected = true;
    wait = FIRST_WAIT_MS;
    strangers = 0;
    $("line").hidden = true;
    if (phase === "starting") $("cover").className = "aside";
    if (phase === "running") rfb.focus();
  });
  rfb.addEventListener("disconnect", lost);
  rfb.addEventListener("clipboard", (event) => fromProgram(event.detail.text));
}

function lost() {
  rfb = null;
  connected = false;
  if (over) return;
  if (phase === "running") {
    $("line").textContent = `Connection lost – trying again. ${title} keeps running.`;
    $("line").hidden = false;
  }
  retry = setTimeout(tryAgain, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 1.7, LONGEST_WAIT_MS);
}

// Asks first who is there: after a sign-out the door refuses, and where the session is gone
// somebody else answers. 503 is said while the hub or a proxy is away, which ends nothing.
async function tryAgain() {
  clearTimeout(retry);
  let answer;
  try {
    answer = await fetch("state", { headers: { Accept: "application/json" } });
  } catch {
    lost();
    return;
  }
  if (answer.status === 403) {
    signedOut();
  } else if (answer.ok && answer.headers.get("Content-Type")?.includes("json")) {
    connect();
    if (states.readyState === EventSource.CLOSED) location.reload();
  } else if (answer.status !== 503 && ++strangers >= 3) {
    sessionOver();
  } else {
    lost();
  }
}

addEventListener("online", () => {
  if (!rfb && !over) tryAgain();
});

// ---- clipboard -----------------------------------------------------------------------------

async function mayRead() {
  try {
    const right = await navigator.permissions.query({ name: "clipboard-read" });
    return right.state === "granted";
  } catch {
    return false;
  }
}

function fromProgram(text) {
  $("clipboard-text").value = text;
  // Refused without a click or on a page without TLS: the dialog shows it all the same.
  navigator.clipboard?.writeText(text).catch(() => {});
}

function toProgram(text) {
  if (!text || text === $("clipboard-text").dataset.sent) return;
  $("clipboard-text").dataset.sent = text;
  $("clipboard-text").value = text;
  rfb?.clipboardPasteFrom(text);
}

addEventListener("focus", async () => {
  if (await mayRead()) toProgram(await navigator.clipboard.readText().catch(() => ""));
});

$("clipboard-open").addEventListener("click", async () => {
  $("clipboard").showModal();
  const text = await navigator.clipboard?.readText().catch(() => "");
  if (text) toProgram(text);
});

$("clipboard").addEventListener("close", () => rfb?.focus());
$("clipboard-send").addEventListener("click", () => {
  delete $("clipboard-text").dataset.sent;
  toProgram($("clipboard-text").value);
});

// ---- the bar ---------------------------------------------------------------------------------

// The picture takes every key. The three together, pressed and let go, lead out; only when they
// are let go, so that the program has seen them let go as well.
let leaving = false;
addEventListener(
  "keydown",
  (event) => {
    const chord = ["Control", "Alt", "AltGraph", "Shift", "Meta"].includes(event.key);
    leaving = chord && event.ctrlKey && event.altKey && event.shiftKey;
  },
  true,
);
addEventListener(
  "keyup",
  (event) => {
    if (leaving && !event.ctrlKey && !event.altKey && !event.shiftKey) {
      leaving = false;
      setTimeout(() => $("portal").focus());
    }
  },
  true,
);
for (const place of [$("bar"), $("notices")]) {
  place.addEventListener("keydown", (event) => {
    if (event.key === "Escape") rfb?.focus();
  });
}

$("fullscreen").addEventListener("click", async () => {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
  rfb?.focus();
});

connect();
