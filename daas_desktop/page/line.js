// The one line at the lower edge: what is just happening, in a sentence. Two places use it: the
// connection, which goes first, and whatever passes by.

import { $ } from "./page.js";

const SHORT_MS = 4000;

let lasting = "";
let passing = null;

function show(text) {
  $("line").textContent = text;
  $("line").hidden = !text;
}

// Stays until it is told otherwise; "" takes it away.
export function stay(text) {
  lasting = text;
  clearTimeout(passing);
  show(text);
}

// Goes by itself, and never hides what lasts.
export function pass(text, milliseconds = SHORT_MS) {
  if (lasting) return;
  clearTimeout(passing);
  show(text);
  passing = setTimeout(() => show(lasting), milliseconds);
}
