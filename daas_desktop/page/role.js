// Who has control. The server decides and keeps to it; this says it, and asks for control.

import { $, post } from "./page.js";
import { picture, rfb } from "./picture.js";

let control = true;

function apply() {
  if (rfb) rfb.viewOnly = !control;
}

export function showRole(role) {
  control = role.control;
  apply();
  $("role").hidden = control;
  $("role-why").textContent = ["You are watching.", role.why].filter(Boolean).join(" ");
}

$("role-take").addEventListener("click", async () => {
  $("role-take").disabled = true;
  try {
    await post("control");
  } finally {
    $("role-take").disabled = false;
  }
});

picture.addEventListener("connected", apply);
