// Pages work by links and forms; this keeps the states current, says what is happening while an
// app starts, and asks before a session is stopped.

const announcer = document.getElementById("announcer");

// The hub accepts its cookie from a script only together with the page's token. An EventSource
// could carry it in the address alone, where tokens do not belong, so the stream is fetched.
const headers = { "X-XSRFToken": document.body.dataset.xsrf };
const RETRY_MS = 3000;
const SCREEN_MS = 60000;

function showSession(card, { state, meaning, url }) {
  card.querySelector("[data-meaning]").textContent = meaning;
  if (card.dataset.state === state) return;
  const title = card.querySelector("h3").textContent;
  card.dataset.state = state;
  card.querySelector("[data-word]").textContent = state;
  card.querySelector("a[data-when]").href = url;
  const stop = card.querySelector("[data-stop]");
  stop.textContent = state === "Stopped" ? "Remove" : "Stop";
  stop.setAttribute("aria-label", `${stop.textContent} ${title}`);
  announcer.textContent = `${title}: ${state}.`;
  showScreens();
}

// The numbers change all the time; read aloud is only what stands before the first comma.
function showProgress(words, meaning) {
  const [step] = meaning.split(",");
  if (words.textContent.split(",")[0] !== step) announcer.textContent = step;
  words.textContent = meaning;
}

function showWaiting(page, states) {
  const now = states[page.dataset.waiting];
  // Only when it is another state than this page was made for, or it would reload for ever.
  if (now?.state !== page.dataset.state) location.reload();
  else if (now?.state === "Starting") showProgress(page.querySelector("[data-meaning]"), now.meaning);
}

function showSessions(states) {
  const waiting = document.querySelector("[data-waiting]");
  if (waiting) showWaiting(waiting, states);
  const list = document.getElementById("running");
  if (!list) return;
  const cards = [...document.querySelectorAll("[data-session]")];
  const known = new Set(cards.map((card) => card.dataset.session));
  // A session opened or removed elsewhere: the page knows how to draw it, so ask for the page.
  const appeared = Object.keys(states).some((name) => !known.has(name));
  const gone = cards.some((card) => !(card.dataset.session in states));
  if (appeared || gone) {
    refreshList(list);
    return;
  }
  for (const card of cards) showSession(card, states[card.dataset.session]);
}

async function refreshList(list) {
  const page = await (await fetch(location.pathname, { headers })).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("running");
  if (!fresh) return;
  list.replaceChildren(...fresh.childNodes);
  list.hidden = fresh.hidden;
  announcer.textContent = "The list of your sessions has changed.";
  prepareForms(list);
  showScreens();
}

// Each session makes its picture itself, and gives it to whoever is signed in there in this browser.
// While nobody looks at this page nothing is asked for; where it cannot be had the card goes without.
function showScreens() {
  if (document.hidden) return;
  for (const screen of document.querySelectorAll('[data-state="Running"] [data-screen]')) {
    const address = new URL("thumbnail", screen.closest("[data-session]").querySelector("a[data-when]").href);
    address.search = Math.floor(Date.now() / SCREEN_MS);
    screen.onload = () => (screen.hidden = false);
    screen.onerror = () => (screen.hidden = true);
    screen.src = address;
  }
}

function prepareForms(root) {
  for (const form of root.querySelectorAll("form.open")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      button.disabled = true;
      button.dataset.busy = "";
      announcer.textContent = `Opening ${form.dataset.opens}…`;
    });
  }
  for (const form of root.querySelectorAll("form.stop")) {
    form.addEventListener("submit", (event) => {
      const card = form.closest("[data-session]");
      const ended = card.dataset.state === "Stopped";
      const question = `Stop ${form.dataset.title}? Unsaved work in the program is lost; files are kept.`;
      if (!ended && !confirm(question)) event.preventDefault();
    });
  }
}

async function follow() {
  const answer = await fetch(document.body.dataset.events, { headers });
  if (!answer.ok) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      if (event.startsWith("data: ")) showSessions(JSON.parse(event.slice(6)));
    }
  }
}

async function followForEver() {
  for (;;) {
    await follow().catch(() => {}); // the portal restarts: sessions keep running, try again
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

if (document.querySelector("#running, [data-waiting]")) followForEver();
prepareForms(document);
showScreens();
setInterval(showScreens, SCREEN_MS);
document.addEventListener("visibilitychange", showScreens);

// A page that comes back from the browser's memory has its buttons as they were left.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
