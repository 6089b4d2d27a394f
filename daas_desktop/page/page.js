// What all parts of the page share: its elements, what the server wrote into it, and a POST that
// the server believes.

export const $ = (id) => document.getElementById(id);
export const { title, clipboard: clipboardSwitch } = document.body.dataset;

const xsrf = document.querySelector("meta[name=xsrf]").content;

export const post = (address, data) =>
  fetch(address, {
    method: "POST",
    headers: { "X-XSRFToken": xsrf, ...(data && { "Content-Type": "application/json" }) },
    body: data && JSON.stringify(data),
  });
