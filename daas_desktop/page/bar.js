// The bar at the upper edge: comes when the pointer or the keyboard is there, or by a touch.

import { focusPicture, leadOut } from "./keys.js";
import { pass } from "./line.js";
import { $ } from "./page.js";

const SHOWN_ONCE = "daas-bar-shown";
const PEEK_MS = 5000;

const bar = $("bar");

function open(is) {
  bar.classList.toggle("open", is);
  $("bar-handle").setAttribute("aria-expanded", is);
}

$("bar-handle").addEventListener("click", () => open(!bar.classList.contains("open")));
$("screen").addEventListener("pointerdown", () => open(false));
leadOut(() => $("portal").focus());

for (const place of [bar, $("notices"), $("role")]) {
  place.addEventListener("keydown", (event) => {
    // In an open menu it closes the menu, by the browser itself.
    if (event.key === "Escape" && !document.querySelector(":popover-open")) focusPicture();
  });
}

// Once in each browser the bar shows by itself that it is there.
export function peek() {
  if (localStorage.getItem(SHOWN_ONCE)) return;
  localStorage.setItem(SHOWN_ONCE, "1");
  open(true);
  setTimeout(() => open(false), PEEK_MS);
}

// ---- full screen ------------------------------------------------------------------------------

// There the browser lets the program have Ctrl+W, Alt+Tab and the like, where it can.
async function lockKeys() {
  try {
    await navigator.keyboard.lock();
    pass("Hold Esc to leave full screen.");
  } catch {
    // Chromium and its kin only, and not without TLS.
  }
}

$("fullscreen").hidden = !document.fullscreenEnabled;
$("fullscreen").addEventListener("click", async () => {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
  } else {
    await document.documentElement.requestFullscreen();
    await lockKeys();
  }
  focusPicture();
});

document.addEventListener("fullscreenchange", () => {
  const full = Boolean(document.fullscreenElement);
  $("fullscreen").textContent = full ? "Leave full screen" : "Full screen";
  if (!full) navigator.keyboard?.unlock?.();
});
