// Who has control. The server decides and keeps to it; this says it, and asks for control.

import { $, post, tab, title } from "./page.js";
import { picture, rfb } from "./picture.js";

let control = true;

function apply() {
  if (!rfb) return;
  rfb.viewOnly = !control;
  // The screen has the size of the page in control; the others show all of it, smaller.
  rfb.resizeSession = control;
}

const SAID = {
  tab: () => `${title} is open in another tab of yours, which has keyboard and pointer.`,
  given: (by) => `${by} has keyboard and pointer.`,
  watching: (by) => (by ? `You are watching ${by}.` : "You are watching."),
  lent: (by) => `You have keyboard and pointer now, in ${by ? `${by}'s ${title}` : title}.`,
};

export function showRole(role) {
  control = role.control;
  apply();
  $("role").hidden = !role.why;
  if (!role.why) return;
  $("role-why").textContent = (SAID[role.why] ?? SAID.watching)(role.by);
  $("role-take").hidden = !["tab", "given"].includes(role.why);
}

$("role-take").addEventListener("click", async () => {
  $("role-take").disabled = true;
  try {
    await post(`control?tab=${tab}`);
  } finally {
    $("role-take").disabled = false;
  }
});

picture.addEventListener("connected", apply);
