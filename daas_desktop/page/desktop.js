// The desktop's page: ties its parts together, and hears from the server what is going on. Each part
// has a module of its own; `novnc.js` is noVNC's core in one file, made by `make`.

import "./clipboard.js";
import "./files.js";
import "./screenshot.js";
import { peek } from "./bar.js";
import { phase, pictureIsThere, showLast, showPhase } from "./cover.js";
import { endIn } from "./end.js";
import { focusPicture } from "./keys.js";
import { pass, stay } from "./line.js";
import { noticesIn } from "./notices.js";
import { $, tab, title } from "./page.js";
import { connect, connected, picture, rfb, sessionEnded } from "./picture.js";
import { whenScalingChanges } from "./pixels.js";
import { showRole } from "./role.js";
import { linkMeasured } from "./speed.js";
import { showViewers } from "./together.js";

const states = new EventSource(`state?tab=${tab}`);
const tell = noticesIn($("notices"), focusPicture);
const ELSEWHERE = "#bar:focus-within, #notices:focus-within, #ending:focus-within, #role:focus-within, dialog[open]";

let over = false;
let wasLost = false;

const hears = (name, listener) =>
  states.addEventListener(name, (event) => {
    if (!over) listener(JSON.parse(event.data));
  });

hears("message", (state) => {
  showPhase(state, connected);
  if (phase !== "running") return;
  if (!document.querySelector(ELSEWHERE)) focusPicture();
});
hears("notices", tell);
hears("role", showRole);
hears("link", linkMeasured);
hears("viewers", showViewers);
endIn(states, sessionEnded);

picture.addEventListener("connected", () => {
  pictureIsThere();
  stay("");
  if (wasLost) pass("Connected again.");
  wasLost = false;
  if (phase === "running" && !document.querySelector(ELSEWHERE)) focusPicture();
  peek();
});

picture.addEventListener("lost", () => {
  if (phase !== "running") return;
  wasLost = true;
  stay(`Connection lost – trying again. ${title} keeps running.`);
});

// The stream of states may have been refused while a proxy was away; a page has it from its start.
picture.addEventListener("answered", () => {
  if (states.readyState === EventSource.CLOSED) location.reload();
});

const LAST = {
  "session-over": { message: "This session has ended.", advice: "Your files are kept." },
  "signed-out": { message: "You are no longer signed in.", advice: `${title} keeps running.` },
  "sent-away": { advice: "You no longer see this screen." },
};

picture.addEventListener("over", ({ detail: { why, message } }) => {
  over = true;
  states.close();
  stay("");
  // Somebody who was signed out still reads why.
  if (why !== "signed-out") tell([]);
  $("role").hidden = true;
  showLast({ ...LAST[why], ...(message && { message }) }, why === "signed-out" ? "sign-in" : "back");
});

whenScalingChanges(() => {
  if (!rfb) return;
  rfb.scaleViewport = true;
  rfb.resizeSession = !rfb.viewOnly;
});

connect();
