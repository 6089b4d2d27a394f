// Lets the browser decode pictures beside the page's own work. noVNC 1.7 makes a data: address in
// base64 of each JPEG, which is decoded when it is drawn; an ImageDecoder takes the bytes as they
// are and works on other threads. Order is kept by noVNC's own queue, through `videoFrame`.
// Without an ImageDecoder (no TLS, older Firefox) everything stays as noVNC does it.

import { Display } from "./novnc.js";

// Called at each picture's first JPEG and when the whole of it is on the screen.
export const watch = { begun: () => {}, shown: () => {} };

const plain = Display.prototype.imageRect;

Display.prototype.imageRect = function imageRect(x, y, width, height, mime, bytes) {
  watch.begun();
  if (!globalThis.ImageDecoder || !width || !height) {
    plain.call(this, x, y, width, height, mime, bytes);
    return;
  }
  const frame = { ready: false, frame: null };
  // A copy: noVNC's bytes lie in its receive queue.
  const decoder = new ImageDecoder({ type: mime, data: bytes.slice().buffer });
  frame.promise = decoder
    .decode()
    .then(({ image }) => image, () => new VideoFrame(new OffscreenCanvas(width, height), { timestamp: 0 }))
    .then((image) => {
      frame.frame = image;
      frame.ready = true;
      decoder.close();
    });
  this.videoFrame(x, y, width, height, frame);
};

const flip = Display.prototype.flip;

Display.prototype.flip = function flipped(fromQueue) {
  const now = fromQueue || !this.pending();
  flip.call(this, fromQueue);
  if (now) watch.shown();
};
