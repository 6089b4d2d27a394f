// A strip with what the hub wants the person to read; each sentence can be put aside. Used by the
// desktop's page and by JupyterLab's.

const STYLE = `
  #notices { --ground: #fff3cd; --text: #553f00; --edge: #b98900; flex: none; overflow: auto;
    max-height: 40vh; background: var(--ground); color: var(--text);
    font: 15px/1.4 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
  .dark #notices, [data-jp-theme-light="false"] #notices { --ground: #3d3100; --text: #ffe69c; }
  #notices div { display: flex; align-items: center; justify-content: center; gap: 1rem;
    padding: 0.35rem 1rem; border-top: 1px solid var(--edge); }
  #notices p { margin: 0; min-width: 0; overflow-wrap: anywhere; }
  #notices button { flex: none; min-height: 2rem; padding: 0.2rem 0.75rem; border-radius: 6px;
    border: 1px solid currentColor; background: transparent; color: inherit; font: inherit;
    font-size: 0.875rem; cursor: pointer; }
  #notices button:hover { background: var(--text); color: var(--ground); }
  #notices button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
`;

let made = 0;

function row(sentence, putAside) {
  const line = document.createElement("div");
  const text = document.createElement("p");
  const button = document.createElement("button");
  text.id = `notice-${++made}`;
  text.textContent = sentence;
  button.type = "button";
  button.textContent = "Put aside";
  button.setAttribute("aria-describedby", text.id);
  button.addEventListener("click", () => {
    button.focus(); // not every browser does
    putAside(line);
  });
  line.append(text, button);
  return line;
}

// Gives the function that shows a list of sentences in *strip*. What stays is not touched, so that
// a screen reader says what is new only. *leave* takes the focus when the last one goes that had it.
export function noticesIn(strip, leave) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const rows = new Map();

  function drop(line) {
    const focused = line.contains(document.activeElement);
    line.remove();
    if (!focused) return;
    const next = strip.querySelector("button");
    if (next) next.focus();
    else leave();
  }

  return (sentences) => {
    for (const [sentence, line] of rows) {
      if (sentences.includes(sentence)) continue;
      drop(line);
      rows.delete(sentence);
    }
    for (const sentence of sentences) {
      if (rows.has(sentence)) continue;
      const line = row(sentence, drop);
      rows.set(sentence, line);
      strip.append(line);
    }
  };
}
