// The connection that carries the picture: made, lost, made again. Others get noVNC's `rfb` here,
// null while there is none, and hear of "connected", "lost", "over" and "clipboard" by `picture`.

import RFB from "./novnc.js";
import { meaningOf } from "./ends.js";
import { fitPixels } from "./pixels.js";
import { $, tab } from "./page.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15000;
const STRANGERS_ANSWERS = 3;

export let rfb = null;
export let connected = false;
export let bytesReceived = 0;
export const picture = new EventTarget();

const address = new URL(`rfb?tab=${tab}`, location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";

let wait = FIRST_WAIT_MS;
let retry = null;
let strangers = 0;
let over = false;

const say = (name, detail) => picture.dispatchEvent(new CustomEvent(name, { detail }));

// The web socket is ours, not noVNC's: it keeps close codes and counts to itself.
export function connect() {
  clearTimeout(retry);
  const socket = new WebSocket(address);
  let end = {};
  socket.addEventListener("message", (event) => (bytesReceived += event.data.byteLength));
  socket.addEventListener("close", (event) => (end = event));
  rfb = new RFB($("screen"), socket);
  rfb.background = "transparent";
  rfb.focusOnClick = false;
  rfb.resizeSession = true;
  rfb.scaleViewport = true;
  fitPixels(rfb);
  rfb.addEventListener("connect", () => {
    connected = true;
    wait = FIRST_WAIT_MS;
    strangers = 0;
    say("connected", rfb);
  });
  rfb.addEventListener("disconnect", () => lost(meaningOf(end.code, end.reason)));
  rfb.addEventListener("clipboard", (event) => say("clipboard", event.detail.text));
}

function lost(end) {
  rfb = null;
  connected = false;
  if (over) return;
  if (end.last) {
    finish("sent-away", end.message);
    return;
  }
  say("lost");
  retry = setTimeout(tryAgain, end.atOnce ? 0 : wait * (0.75 + Math.random() / 2));
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
    lost({});
    return;
  }
  if (answer.status === 403) {
    finish("signed-out");
  } else if (answer.ok && answer.headers.get("Content-Type")?.includes("json")) {
    say("answered");
    connect();
  } else if (answer.status !== 503 && ++strangers >= STRANGERS_ANSWERS) {
    finish("session-over");
  } else {
    lost({});
  }
}

// Nothing is tried again by itself.
function finish(why, message) {
  over = true;
  clearTimeout(retry);
  rfb?.disconnect();
  say("over", { why, message });
}

export const sessionEnded = () => finish("session-over");

addEventListener("online", () => {
  if (!rfb && !over) tryAgain();
});
