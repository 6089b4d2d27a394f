// Text between the program and this computer. It goes by itself where the browser lets it; the
// dialog is for where it does not. The facility's switch is kept by the X server, not here.

import { focusPicture, passOn } from "./keys.js";
import { pass } from "./line.js";
import { $, clipboardSwitch, title } from "./page.js";
import { picture, rfb } from "./picture.js";

const MOST_BYTES = 16_000_000;
const PASTE_WITHIN_MS = 100;

const into = ["both", "in"].includes(clipboardSwitch);
const out = ["both", "out"].includes(clipboardSwitch);
const field = $("clipboard-text");

// ---- out of the program ------------------------------------------------------------------------

let waiting = null;
// What went last, either way. The dialog's field gets it when it opens: long texts take time there.
let sent = "";

// Without TLS there is no other way than a copy of the browser's own.
function copyByHand(text) {
  const give = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  const done = document.execCommand("copy");
  document.removeEventListener("copy", give);
  return done;
}

function fromProgram(text) {
  if (!out) return;
  sent = text;
  if ($("clipboard").open) field.value = text;
  toComputer(text);
}

async function toComputer(text) {
  try {
    await navigator.clipboard.writeText(text);
    waiting = null;
  } catch {
    // Some browsers want a key or a click just before: it is tried again at the next one.
    waiting = copyByHand(text) ? null : text;
  }
}

for (const kind of ["keydown", "pointerdown"]) {
  addEventListener(kind, () => waiting !== null && toComputer(waiting), true);
}

// ---- into the program ----------------------------------------------------------------------------

function toProgram(text) {
  if (!into || !text || text === sent) return;
  const bytes = new Blob([text]).size;
  if (bytes > MOST_BYTES) {
    const [has, most] = [bytes, MOST_BYTES].map((number) => `${Math.ceil(number / 1e6)} MB`);
    pass(`This text is too long for the clipboard: it has ${has}, and ${most} are the most.`, 8000);
    return;
  }
  sent = text;
  rfb?.clipboardPasteFrom(text);
}

// A key that pastes is held back for a moment: the browser gives the text with its `paste` event,
// without asking anybody, and the program must have it before the key.
const pastes = ({ key, code, ctrlKey, metaKey, shiftKey, altKey }) =>
  !altKey && (((ctrlKey || metaKey) && key.toLowerCase() === "v") || (shiftKey && code === "Insert"));

let held = null;

function release() {
  clearTimeout(held?.timer);
  if (held) passOn(held.event);
  held = null;
}

if (into) {
  $("keyboard").addEventListener(
    "keydown",
    (event) => {
      if (!pastes(event)) return;
      event.stopImmediatePropagation();
      release();
      held = { event, timer: setTimeout(release, PASTE_WITHIN_MS) };
    },
    true,
  );
  $("keyboard").addEventListener("paste", (event) => {
    event.preventDefault();
    toProgram(event.clipboardData.getData("text/plain"));
    release();
  });
  // For the program's own menu: where the browser has been allowed to, the text is there before.
  addEventListener("focus", async () => {
    try {
      const right = await navigator.permissions.query({ name: "clipboard-read" });
      if (right.state === "granted") toProgram(await navigator.clipboard.readText());
    } catch {
      // Not every browser knows that right.
    }
  });
}

// ---- the dialog ----------------------------------------------------------------------------------

const HELP = {
  both: `Text copied in ${title} appears here. Text put here can be pasted in ${title}.`,
  in: `Text put here can be pasted in ${title}. Copying out of ${title} is switched off here.`,
  out: `Text copied in ${title} appears here. Pasting into ${title} is switched off here.`,
  off: `Copying to and from ${title} is switched off here.`,
};

$("clipboard-help").textContent = HELP[clipboardSwitch];
field.hidden = clipboardSwitch === "off";
field.readOnly = !into;
$("clipboard-send").hidden = !into;

$("clipboard-open").addEventListener("click", () => {
  field.value = sent;
  $("clipboard").showModal();
});
$("clipboard").addEventListener("close", focusPicture);
$("clipboard-send").addEventListener("click", () => {
  const text = field.value;
  sent = "";
  toProgram(text);
  // Else the next paste would bring what this computer's clipboard has held until now.
  if (text) toComputer(text);
});

picture.addEventListener("clipboard", (event) => fromProgram(event.detail));
// A new connection knows nothing of what the last one was given.
picture.addEventListener("connected", () => (sent = ""));
