// An extension of JupyterLab: says what the hub wants the person to read, and when she is no longer
// signed in. She signs in again in another tab, so that what she has not saved stays on this page.
// Served by notebook_login.py; written as the container that JupyterLab loads, so that nothing
// needs to be built.

const AGAIN_MS = 10000;
const BESIDE = document.currentScript.src;

const STYLE = `
  #daas-signed-out { max-width: 32rem; padding: 1.5rem 2rem; border-radius: 8px;
    border: 1px solid var(--jp-border-color1); background: var(--jp-layout-color1);
    color: var(--jp-ui-font-color1); font: 16px/1.5 var(--jp-ui-font-family); }
  #daas-signed-out::backdrop { background: rgb(0 0 0 / 60%); }
  #daas-signed-out h2 { margin: 0 0 0.5rem; font-size: 1.25rem; }
  #daas-signed-out p { margin: 0 0 1rem; }
  #daas-signed-out button { padding: 0.35rem 0.9rem; border: 0; border-radius: 6px;
    background: #1f5f9e; color: #fff; font: inherit; cursor: pointer; }
`;

function dialogIn(page) {
  const dialog = page.createElement("dialog");
  dialog.id = "daas-signed-out";
  dialog.setAttribute("aria-labelledby", "daas-signed-out-title");
  dialog.innerHTML = `
    <style>${STYLE}</style>
    <h2 id="daas-signed-out-title">You are no longer signed in.</h2>
    <p>Your notebooks and terminals keep running, and what you have not saved stays on this
    page. Sign in again to go on; a new tab opens for it.</p>
    <button type="button">Sign in again</button>`;
  // Escape would leave a page on which nothing works.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  page.body.append(dialog);
  return dialog;
}

// What JupyterLab complains about while nobody is signed in (a file that it could not save, a server
// that it lost) is over when she is back. What she was asked before stays.
function complaintsSince(page) {
  const before = new Set(page.querySelectorAll("dialog.jp-Dialog"));
  return () => {
    for (const other of page.querySelectorAll("dialog.jp-Dialog")) {
      if (!before.has(other)) other.querySelector(".jp-mod-reject, .jp-mod-accept")?.click();
    }
  };
}

function reconnect(app) {
  for (const widget of app.shell.widgets("main")) {
    widget.sessionContext?.session?.kernel?.reconnect();
    widget.content?.session?.reconnect?.();
  }
}

// The shell gives way to the strip at the lower edge.
function stripBelow(shell) {
  const strip = document.createElement("section");
  strip.id = "notices";
  strip.setAttribute("role", "status");
  strip.setAttribute("aria-atomic", "false");
  strip.style.cssText = "position: fixed; inset: auto 0 0; z-index: 10";
  document.body.append(strip);
  new ResizeObserver(() => {
    shell.node.style.bottom = `${Math.ceil(strip.getBoundingClientRect().height)}px`;
    shell.update();
  }).observe(strip);
  return strip;
}

async function showNotices(app, signedOut) {
  const { noticesIn } = await import(new URL("notices.js", BESIDE));
  const back = () => app.shell.currentWidget?.activate();
  const tell = noticesIn(stripBelow(app.shell), back);
  const address = `${app.serviceManager.serverSettings.baseUrl}notices`;

  async function look() {
    // Not "cors", which would need a form's token. What was said stays if there is no answer.
    const answer = signedOut() ? null : await fetch(address, { mode: "no-cors" }).catch(() => null);
    const said = answer?.ok ? await answer.json().catch(() => null) : null;
    if (said) tell(said.notices);
    setTimeout(look, said?.again_ms ?? AGAIN_MS);
  }
  look();
}

function activate(app) {
  const { baseUrl, wsUrl } = app.serviceManager.serverSettings;
  const dialog = dialogIn(document);
  let dismissComplaints = () => {};

  // JupyterLab has this socket as well, but tells nobody why it was closed.
  function watch() {
    const socket = new WebSocket(`${wsUrl}api/events/subscribe`);
    socket.onclose = ask;
  }

  async function ask() {
    // Not "cors", which would need a form's token.
    const answer = await fetch(`${baseUrl}api/status`, { mode: "no-cors" }).catch(() => null);
    if (answer?.status === 403) {
      if (dialog.open) return;
      dismissComplaints = complaintsSince(document);
      dialog.showModal();
    } else {
      setTimeout(watch, AGAIN_MS);
    }
  }

  dialog.querySelector("button").addEventListener("click", () => open(`${baseUrl}signed-in`));
  new BroadcastChannel(new URL(baseUrl).pathname).onmessage = () => {
    if (!dialog.open) return;
    dialog.close();
    reconnect(app);
    watch();
    // At once, and when answers that were on their way have come in.
    for (const wait of [0, 1000, 3000]) setTimeout(dismissComplaints, wait);
  };
  watch();
  app.restored.then(() => showNotices(app, () => dialog.open));
}

const plugin = { id: "daas-session:plugin", autoStart: true, activate };

(window._JUPYTERLAB ??= {})["daas-session"] = {
  init() {},
  get: async () => () => ({ __esModule: true, default: plugin }),
};
