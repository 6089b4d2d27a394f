// What all parts of the page share: its elements, what the server wrote into it, and a POST that
// the server believes.

export const $ = (id) => document.getElementById(id);
export const { title, clipboard: clipboardSwitch } = document.body.dataset;

export const xsrf = document.querySelector("meta[name=xsrf]").content;

// This page's own word for itself: the server knows by it which picture is this page's.
export const tab = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");

export const post = (address, data) =>
  fetch(address, {
    method: "POST",
    headers: { "X-XSRFToken": xsrf, ...(data && { "Content-Type": "application/json" }) },
    body: data && JSON.stringify(data),
  });
