// Which quality and compression noVNC asks the X server for: pure, used by speed.js.
//
// TigerVNC makes JPEG of what looks like a photograph, such as a detector's image: level 6 and above
// with full colours, 5 and below with half of them, which is a third of the work and of the bytes.
// Plots and text rarely are. What stands still is sent again as JPEG of level 9, whatever was asked for:
// no colour was off by more than 4 of 255, in noise.

export const SHARP = { quality: 9, compression: 2 };
export const FAST = { quality: 1, compression: 2 };
export const BEST = { quality: 6, compression: 2 };

// The steps that make a difference: half colours, a coarser grain, half the detail, a quarter of it;
// and how many pictures a second are worth leaving each. The first two are not seen in what moves.
const LADDER = [6, 4, 3, 2, 1];
const WORTH_PER_S = [50, 50, 24, 24];
const VERY_FEW_PER_S = 12;
const FAR_LINE_MS = 25;

// One step for what was measured while the picture moved:
//   framesPerS   pictures shown in a second
//   busy         part of the time in which a picture was on its way or being decoded, 0 to 1
//   rttMs        the line's round trip when it is quiet; undefined while nobody knows
// Slow pictures alone are no reason: a program may paint two in a second. They are when we are busy.
export function nextLevel(now, { framesPerS, busy, rttMs = 0 }) {
  const at = LADDER.indexOf(now.quality);
  let next = at < 0 ? 0 : at;
  if (busy > 0.6 && framesPerS < WORTH_PER_S[next]) next += framesPerS < VERY_FEW_PER_S ? 2 : 1;
  else if (busy < 0.3 || framesPerS > 2 * WORTH_PER_S[next - 1]) next -= 1;
  return {
    quality: LADDER[Math.min(Math.max(next, 0), LADDER.length - 1)],
    // On a far line bytes cost more than the time to make them fewer.
    compression: rttMs > FAR_LINE_MS ? 5 : 2,
  };
}
