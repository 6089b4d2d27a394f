// What the desktop's page needs of noVNC; `tools/node.sh` makes one file of it, because noVNC's
// package lets only its first module be imported by name.
export { default } from "../.node/node_modules/@novnc/novnc/core/rfb.js";
export { default as Display } from "../.node/node_modules/@novnc/novnc/core/display.js";
export { default as keysyms } from "../.node/node_modules/@novnc/novnc/core/input/keysymdef.js";
