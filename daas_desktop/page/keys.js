// The keyboard. A field that nobody sees has the focus, so that the browser composes what it can
// (dead keys, input methods, keyboards on glass); everything else goes to noVNC as it comes.

import { keysyms } from "./novnc.js";
import { rfb } from "./picture.js";
import { $ } from "./page.js";

const field = $("keyboard");
const CHORD = ["Control", "Alt", "AltGraph", "Shift", "Meta"];
const touch = matchMedia("(pointer: coarse)");

// Keys that a browser or the desktop around it keeps to itself: X keysym and place of each.
const CTRL = [0xffe3, "ControlLeft"];
const ALT = [0xffe9, "AltLeft"];
const SPECIAL = {
  Esc: [[0xff1b, "Escape"]],
  Tab: [[0xff09, "Tab"]],
  F11: [[0xffc8, "F11"]],
  "Print screen": [[0xff61, "PrintScreen"]],
  Super: [[0xffeb, "MetaLeft"]],
  "Alt+Tab": [ALT, [0xff09, "Tab"]],
  "Alt+F4": [ALT, [0xffc1, "F4"]],
  "Ctrl+Tab": [CTRL, [0xff09, "Tab"]],
  "Ctrl+Q": [CTRL, [0x71, "KeyQ"]],
  "Ctrl+W": [CTRL, [0x77, "KeyW"]],
  "Ctrl+T": [CTRL, [0x74, "KeyT"]],
  "Ctrl+N": [CTRL, [0x6e, "KeyN"]],
};

// On glass a field that can be written in would call the keyboard up at each touch.
export function focusPicture() {
  field.inputMode = touch.matches ? "none" : "text";
  field.focus({ preventScroll: true });
}

export function press(keys) {
  for (const [keysym, code] of keys) rfb?.sendKey(keysym, code, true);
  for (const [keysym, code] of keys.toReversed()) rfb?.sendKey(keysym, code, false);
}

// A character that is on no key of the X server gets one for the moment, the next one the same: the
// program must have looked it up before. And if it were the first key of all, Qt would miss it.
const ON_ITS_KEYS = /^[\n -~]$|^.{2,}$/;
const LOOK_UP_MS = 40;
const SHIFT = [0xffe1, "ShiftLeft"];

let first = true;

function begin(key) {
  if (first && !ON_ITS_KEYS.test(key)) press([SHIFT]);
  first = false;
}

// Everything arrives in the order in which it was typed: a key waits for the text before it, and is
// sent at once when there is none.
let waiting = 0;
let turn = Promise.resolve();

function inTurn(send, restMs = 0) {
  if (!waiting && !restMs) {
    send();
    return;
  }
  waiting += 1;
  turn = turn
    .then(send)
    .catch(reportError)
    .then(() => restMs && new Promise((go) => setTimeout(go, restMs)))
    .finally(() => (waiting -= 1));
}

// ---- from the field to noVNC ----------------------------------------------------------------

const down = new Map();

// What the browser will answer with text of its own: an `input`, or the end of a composition.
const composes = (event) =>
  event.isComposing || event.keyCode === 229 || ["Dead", "Process", "Unidentified"].includes(event.key);

export const passOn = (event) => inTurn(() => dispatch(event));

function dispatch(event) {
  if (event.type === "keydown") begin(event.key);
  const copy = new KeyboardEvent(event.type, {
    key: event.key,
    code: event.code,
    keyCode: event.keyCode,
    location: event.location,
    repeat: event.repeat,
    ctrlKey: event.ctrlKey,
    shiftKey: event.shiftKey,
    altKey: event.altKey,
    metaKey: event.metaKey,
    modifierCapsLock: event.getModifierState("CapsLock"),
    modifierNumLock: event.getModifierState("NumLock"),
    modifierAltGraph: event.getModifierState("AltGraph"),
    cancelable: true,
  });
  $("screen").querySelector("canvas")?.dispatchEvent(copy);
}

field.addEventListener("keydown", (event) => {
  if (composes(event) || event.defaultPrevented) return;
  event.preventDefault();
  down.set(event.code, event);
  passOn(event);
});

field.addEventListener("keyup", (event) => {
  event.preventDefault();
  down.delete(event.code);
  passOn(event);
});

// The end of a key that went down here may be somewhere else: nothing is left pressed.
field.addEventListener("blur", () => {
  for (const { key, code, location } of down.values()) {
    passOn(new KeyboardEvent("keyup", { key, code, location }));
  }
  down.clear();
});

export function type(text) {
  for (const character of text) {
    const keysym = character === "\n" ? 0xff0d : keysyms.lookup(character.codePointAt(0));
    const write = () => {
      begin(character);
      press([[keysym, ""]]);
    };
    inTurn(write, ON_ITS_KEYS.test(character) ? 0 : LOOK_UP_MS);
  }
}

function typeWhatStandsThere() {
  type(field.value);
  field.value = "";
}

field.addEventListener("input", (event) => {
  if (event.inputType === "deleteContentBackward") inTurn(() => press([[0xff08, "Backspace"]]));
  if (!event.isComposing) typeWhatStandsThere();
});
field.addEventListener("compositionend", typeWhatStandsThere);

// Whoever gives the keyboard to the picture gives it to the field.
$("screen").addEventListener("pointerdown", (event) => {
  if (event.target !== field) setTimeout(focusPicture);
});
$("screen").addEventListener("focusin", (event) => {
  if (event.target !== field) focusPicture();
});

// ---- the way out ------------------------------------------------------------------------------

// The picture takes every key. The three together, pressed and let go, lead out; only when they
// are let go, so that the program has seen them let go as well.
export function leadOut(where) {
  let leaving = false;
  addEventListener(
    "keydown",
    (event) => {
      leaving = CHORD.includes(event.key) && event.ctrlKey && event.altKey && event.shiftKey;
    },
    true,
  );
  addEventListener(
    "keyup",
    (event) => {
      if (leaving && !event.ctrlKey && !event.altKey && !event.shiftKey) {
        leaving = false;
        setTimeout(where);
      }
    },
    true,
  );
}

// ---- keys that do not arrive --------------------------------------------------------------------

for (const [name, keys] of Object.entries(SPECIAL)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => press(keys));
  $("keys-list").append(button);
}

$("keys-glass").hidden = !touch.matches;
$("keys-glass").addEventListener("click", () => {
  $("keys").hidePopover();
  field.inputMode = "text";
  field.focus();
});
