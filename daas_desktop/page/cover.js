// The card over the picture: what the program is doing, how it ended, and the page's last word.

import { $, guest, post, title } from "./page.js";

const SLOW_START_MS = 20000;
// Exit status, or less than 0 the signal: 9 is what a system kills with that has no memory left.
const HOW = { 0: "ended", [-9]: "killed" };

export let phase = "starting";
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

// The picture is there: the card no longer stands in its way.
export function pictureIsThere() {
  if (phase === "starting") $("cover").className = "aside";
}

export function showPhase(state, connected) {
  phase = state.phase;
  clearTimeout(slow);
  if (phase === "starting") {
    show({ message: `Starting ${title}…`, kind: connected ? "aside" : "" });
    slow = setTimeout(saySlow, SLOW_START_MS);
  } else if (phase === "running") {
    $("cover").hidden = true;
    document.body.dataset.phase = phase;
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
  const ends = {
    missing: [`${title} is not installed here.`, "Tell the people who run this portal."],
    failed: [`${title} has stopped with an error.`, "Your files are kept."],
    killed: [`${title} was killed.`, "Most often memory has run out. What it had saved is kept."],
    ended: [`${title} has ended.`, "Your files are kept."],
  };
  const how = phase === "missing" ? "missing" : (HOW[status] ?? "failed");
  const [message, advice] = ends[how];
  show({ message, advice, actions: true, log: status && !guest, kind: "ended" });
  $("again").hidden = how === "missing" || guest;
  ($("again").hidden ? $("back") : $("again")).focus();
}

// The last word of this page: nothing is tried again by itself.
export function showLast(said, button) {
  clearTimeout(slow);
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  show({ ...said, actions: true, kind: "ended" });
  $("again").hidden = true;
  $("end-ended")?.remove();
  $("sign-in").hidden = button !== "sign-in";
  $(button).focus();
}

// The whole page goes through the login and comes back to this address.
$("sign-in").addEventListener("click", () => location.reload());

$("again").addEventListener("click", async () => {
  $("again").disabled = true;
  try {
    await post("again");
  } finally {
    $("again").disabled = false;
  }
});

$("log").addEventListener("toggle", async () => {
  if (!$("log").open) return;
  const answer = await fetch("log");
  $("log-text").textContent = (answer.ok && (await answer.text()).trim()) || "Nothing was said.";
});
