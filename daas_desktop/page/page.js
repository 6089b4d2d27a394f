// What all parts of the page share: its elements, what the server wrote into it, and a request
// that the server believes.

export const $ = (id) => document.getElementById(id);
export const { title, clipboard: clipboardSwitch } = document.body.dataset;

// Somebody who was invited to look: what only the session's person may do is not offered.
export const guest = "guest" in document.body.dataset;

export const xsrf = document.querySelector("meta[name=xsrf]").content;

// This page's own word for itself: the server knows by it which picture is this page's.
export const tab = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");

export const post = (address, data) => ask("POST", address, data);

export const ask = (method, address, data) =>
  fetch(address, {
    method,
    headers: { "X-XSRFToken": xsrf, ...(data && { "Content-Type": "application/json" }) },
    body: data && JSON.stringify(data),
  });
