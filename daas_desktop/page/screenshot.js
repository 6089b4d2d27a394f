// Saves the picture as a PNG, named by program and time, where the browser puts downloads.

import { focusPicture } from "./keys.js";
import { pass } from "./line.js";
import { $, title } from "./page.js";
import { rfb } from "./picture.js";

const two = (number) => String(number).padStart(2, "0");

// "PyMca 2026-11-23 13.40.05.png": sorts by time, and every file system takes it.
export function fileName(program, at) {
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const time = [two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(".");
  return `${program.replace(/[\\/:*?"<>|\s]+/g, " ")} ${day} ${time}.png`;
}

$("screenshot").addEventListener("click", () => {
  const name = fileName(title, new Date());
  rfb?.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    pass(`Saved as “${name}” by your browser.`);
  }, "image/png");
  focusPicture();
});
