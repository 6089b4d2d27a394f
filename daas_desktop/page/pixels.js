// One pixel of the program is a whole number of the monitor's: sharp at any scaling, and never more
// work than the monitor has pixels. At a scaling of 2 the picture has the size of the page, each
// pixel doubled: text has its usual size, and the cost does not grow with the square.

// Monitor pixels for one of the program's; pure.
export const doubling = (scaling) => Math.max(1, Math.floor(scaling + 0.01));

// noVNC 1.7 measures its place in the page's units (`_screenSize`), to ask for a size as well as to
// fit the canvas into it. What it asks for becomes monitor pixels; the fit stays.
export function fitPixels(rfb) {
  const inPageUnits = rfb._screenSize.bind(rfb);
  rfb._screenSize = () => {
    const { w, h } = inPageUnits();
    const each = devicePixelRatio / doubling(devicePixelRatio);
    return { w: Math.round(w * each), h: Math.round(h * each) };
  };
  rfb._updateScale = () => {
    const { w, h } = inPageUnits();
    rfb._display.autoscale(w, h);
    rfb._canvas.style.imageRendering = doubling(devicePixelRatio) > 1 ? "pixelated" : "";
  };
}

// The browser's zoom, or a window moved to another monitor.
export function whenScalingChanges(changed) {
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener(
    "change",
    () => {
      changed();
      whenScalingChanges(changed);
    },
    { once: true },
  );
}
