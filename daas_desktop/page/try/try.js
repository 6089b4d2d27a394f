// The page of `daas-desktop try`: noVNC and nothing round it.

import RFB from "./novnc.js";

const address = new URL("websockify", location.href);
address.protocol = "ws:";
const line = document.getElementById("line");

function connect() {
  const rfb = new RFB(document.getElementById("screen"), address.href);
  rfb.resizeSession = true;
  rfb.scaleViewport = true;
  rfb.addEventListener("connect", () => {
    line.textContent = "";
    rfb.focus();
  });
  rfb.addEventListener("disconnect", () => {
    line.textContent = "The program has ended, or its picture was lost. Trying again…";
    setTimeout(connect, 1000);
  });
}

connect();
