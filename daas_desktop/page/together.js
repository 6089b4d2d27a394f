// "People": who looks at this session, for the person whose it is. She gives keyboard and pointer
// and takes them back, invites, and sends somebody out. The server keeps to it; this only shows it.

import { pass } from "./line.js";
import { $, ask, tab } from "./page.js";

let known = null;

export function showViewers(viewers) {
  if (!$("together")) return;
  const others = viewers.filter((one) => !one.here);
  const guests = others.filter((one) => !one.owner);
  $("together-open").textContent = guests.length ? `People (${guests.length + 1})` : "People";
  $("together-alone").hidden = others.length > 0;
  $("together-list").replaceChildren(...others.map(entry));
  announce(new Set(guests.map((one) => one.name)));
}

function announce(names) {
  if (known) {
    for (const name of names) if (!known.has(name)) pass(`${name} is watching now.`);
    for (const name of known) if (!names.has(name)) pass(`${name} has left.`);
  }
  known = names;
}

function entry(one) {
  const made = document.createElement("li");
  const who = document.createElement("span");
  const name = one.owner ? "You, in another tab" : one.name;
  who.textContent = `${name} ${one.control ? "has keyboard and pointer" : "is watching"}`;
  made.append(who);
  if (one.control) made.append(button("Take control back", () => ask("POST", `control?tab=${tab}`)));
  else made.append(button("Give control", () => ask("POST", `control?to=${one.number}`)));
  if (!one.owner) made.append(button("Send out", () => ask("DELETE", `guests/${one.number}`)));
  return made;
}

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => attempt(act));
  return made;
}

// The server's answer, if it is none of the bad ones; those are said in the dialog.
async function attempt(act) {
  $("together-said").textContent = "";
  try {
    const answer = await act();
    if (answer.ok) return answer;
    $("together-said").textContent = (await answer.text()).trim();
  } catch {
    $("together-said").textContent = "The session does not answer. Try again.";
  }
  return null;
}

async function invite() {
  const answer = await attempt(() => ask("POST", "invitations"));
  if (!answer) return;
  const { url, expires_in_s } = await answer.json();
  $("together-url").value = new URL(url, location.href).href;
  $("together-minutes").textContent = Math.floor(expires_in_s / 60);
  $("together-link").hidden = false;
  $("together-url").select();
}

async function copy() {
  $("together-url").select();
  try {
    await navigator.clipboard.writeText($("together-url").value);
    $("together-said").textContent = "Copied.";
  } catch {
    $("together-said").textContent = "The link is marked: copy it with your keyboard.";
  }
}

async function takeBack() {
  const answer = await attempt(() => ask("DELETE", "invitations"));
  if (!answer) return;
  $("together-link").hidden = true;
  $("together-said").textContent = "All visits have ended, and no link works any more.";
}

$("together-open")?.addEventListener("click", () => $("together").showModal());
$("together-close")?.addEventListener("click", () => $("together").close());
$("together-make")?.addEventListener("click", invite);
$("together-copy")?.addEventListener("click", copy);
$("together-back")?.addEventListener("click", takeBack);
