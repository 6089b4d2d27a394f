// Measures the picture's speed in the browser and asks for the quality that fits: by itself, or as
// the person chose. quality.js decides.

import { watch } from "./draw.js";
import { $ } from "./page.js";
import { bytesReceived, picture, rfb } from "./picture.js";
import { BEST, FAST, nextLevel, SHARP } from "./quality.js";

const STEP_MS = 500;
const STILL_MS = 2000;
const KEPT = "daas-picture";
const CHOICES = { automatic: BEST, sharp: SHARP, fast: FAST };

let choice = localStorage.getItem(KEPT) in CHOICES ? localStorage.getItem(KEPT) : "automatic";
let level = CHOICES[choice];
let link = {};
// The line's own round trip: what is measured behind pictures has waited for them.
let shortestMs;

// ---- what the browser shows -----------------------------------------------------------------------

let pictures = 0;
let begunAt = 0;
let busyMs = 0;

watch.begun = () => (begunAt ||= performance.now());
watch.shown = () => {
  pictures += 1;
  if (begunAt) busyMs += performance.now() - begunAt;
  begunAt = 0;
};

export const shownPictures = () => pictures;

// ---- what is asked for ------------------------------------------------------------------------------

function ask() {
  if (!rfb) return;
  rfb.qualityLevel = level.quality;
  rfb.compressionLevel = level.compression;
}

let last = { at: performance.now(), pictures: 0, bytes: 0 };
let movedAt = 0;

function step() {
  const now = performance.now();
  const seconds = (now - last.at) / 1000;
  const framesPerS = (pictures - last.pictures) / seconds;
  const bytesPerS = (bytesReceived - last.bytes) / seconds;
  const busy = Math.min(1, (busyMs + (begunAt && now - begunAt)) / (now - last.at));
  busyMs = 0;
  begunAt &&= now;
  last = { at: now, pictures, bytes: bytesReceived };
  if (framesPerS > 1 || busy > 0.5) movedAt = now;
  if (choice === "automatic") {
    const still = now - movedAt > STILL_MS;
    if (!still) level = nextLevel(level, { framesPerS, busy, rttMs: shortestMs });
    else if (level.quality !== BEST.quality) level = { ...level, quality: BEST.quality };
    ask();
  }
  if ($("picture").matches(":popover-open")) tell(framesPerS, bytesPerS);
}

setInterval(step, STEP_MS);

// ---- what is said -----------------------------------------------------------------------------------

function roundTrip(milliseconds) {
  if (milliseconds === undefined || milliseconds === null) return "–";
  return milliseconds < 1 ? "under 1 ms" : `${Math.round(milliseconds)} ms`;
}

function tell(framesPerS, bytesPerS) {
  $("speed-rtt").textContent = roundTrip(link.rtt_ms);
  $("speed-frames").textContent = `${Math.round(framesPerS)} a second`;
  $("speed-bytes").textContent = `${(Math.max(bytesPerS, 0) / 1e6).toFixed(1)} MB a second`;
}

export function linkMeasured(measured) {
  link = measured;
  shortestMs = Math.min(link.rtt_ms ?? Infinity, shortestMs ?? Infinity);
}

for (const radio of document.querySelectorAll("#picture input[name=quality]")) {
  radio.checked = radio.value === choice;
  radio.addEventListener("change", () => {
    choice = radio.value;
    localStorage.setItem(KEPT, choice);
    level = CHOICES[choice];
    ask();
  });
}

picture.addEventListener("connected", ask);
