// The dialog "Files": what is in the session's folders, downloads, and the button for uploads.
// What is on its way up is in `uploads.js`.

import { focusPicture } from "./keys.js";
import { $, post, title } from "./page.js";
import { cancelAll, size, upload } from "./uploads.js";

const dialog = $("files");

let place = 0;
let path = [];
let folder = { upload: false };
let writable = 0;

const address = (what, steps) =>
  `${what}?place=${place}&path=${encodeURIComponent(steps.map((step) => step.id).join("/"))}`;

const say = (text) => {
  $("files-said").textContent = text;
};

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function button(text, click) {
  const made = element("button", text);
  made.type = "button";
  made.className = "plain";
  made.addEventListener("click", click);
  return made;
}

// ---- what is in a folder -------------------------------------------------------------------

async function look(told = "") {
  try {
    const answer = await fetch(address("files", path));
    if (!answer.ok) throw new Error((await answer.text()).trim());
    folder = await answer.json();
  } catch (error) {
    say(error instanceof TypeError ? "The session does not answer. Look again." : error.message);
    return;
  }
  const large = folder.download && folder.entries.some((entry) => entry.size > folder.largest);
  if (!folder.whole) say("Only the first of many files are shown.");
  else say(large ? `${told} Take large files from JupyterLab's own list.` : told);
  showWhere();
  $("files-list").replaceChildren(...folder.entries.sort(inOrder).map(row));
  $("files-empty").hidden = folder.entries.length > 0;
  if ($("files-choose")) $("files-choose").disabled = !folder.upload;
}

const inOrder = (one, other) =>
  (other.kind === "folder") - (one.kind === "folder") ||
  one.name.localeCompare(other.name, undefined, { numeric: true });

function showWhere() {
  writable = Math.max(0, folder.places.findIndex((one) => one.writable));
  const options = folder.places.map((one, number) => {
    const title = one.writable ? one.title : `${one.title} (read only)`;
    return new Option(title, number, false, number === place);
  });
  $("files-place").replaceChildren(...options);
  const steps = path.map((step, at) => button(step.name, () => go(path.slice(0, at + 1))));
  if (steps.length) steps.unshift(button("Top", () => go([])));
  $("files-path").replaceChildren(...steps.flatMap((step, at) => (at ? ["/", step] : [step])));
}

function go(where) {
  path = where;
  return look();
}

function row(entry) {
  const line = element("tr");
  const name = element("td");
  const here = [...path, { id: entry.id, name: entry.name }];
  if (entry.kind === "folder") {
    name.append(button(entry.name, () => go(here)));
    name.className = "folder";
  } else if (entry.kind === "file" && folder.download && entry.size <= folder.largest) {
    const link = element("a", entry.name);
    link.href = address("files/download", here);
    link.download = "";
    name.append(link);
  } else {
    name.textContent = entry.kind === "link" ? `${entry.name} (link)` : entry.name;
  }
  if (entry.kind === "file" && opens(entry.name)) name.append(" ", openButton(entry.name, here));
  const bytes = element("td", entry.kind === "file" ? size(entry.size) : "");
  const time = element("td", new Date(entry.changed * 1000).toLocaleString());
  line.append(name, bytes, time);
  return line;
}

// ---- opening in the program ------------------------------------------------------------------

const opens = (name) => folder.opens.some((ending) => name.toLowerCase().endsWith(ending));

function openButton(name, steps) {
  const made = button("Open", async () => {
    const answer = await post(address("files/open", steps)).catch(() => null);
    if (answer?.ok) dialog.close();
    else say(answer ? (await answer.text()).trim() : "The session does not answer. Try again.");
  });
  made.setAttribute("aria-label", `Open ${name} in ${title}`);
  return made;
}

// ---- uploads ---------------------------------------------------------------------------------

function take(files) {
  if (!dialog.open) open();
  for (const file of files) {
    const where = { place: String(place), path: path.map((step) => step.id).join("/") };
    upload(file, where, (name) => look(`${name} is uploaded.`));
  }
}

async function dropped(files) {
  if (!dialog.open) await open();
  if (!folder.upload) {
    place = writable;
    await go([]);
  }
  if (folder.upload) take(files);
}

function open() {
  dialog.showModal();
  return look();
}

function acceptDrops() {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over(false);
    // The list is empty once this event is over.
    dropped([...event.dataTransfer.files]);
  });
}

if (dialog) {
  $("files-open").addEventListener("click", open);
  $("files-close").addEventListener("click", () => dialog.close());
  $("files-again").addEventListener("click", () => look());
  $("files-place").addEventListener("change", (event) => {
    place = Number(event.target.value);
    go([]);
  });
  dialog.addEventListener("close", focusPicture);
  if ($("files-input")) {
    $("files-choose").addEventListener("click", () => $("files-input").click());
    $("files-input").addEventListener("change", (event) => {
      take([...event.target.files]);
      event.target.value = "";
    });
    acceptDrops();
  }
  addEventListener("pagehide", cancelAll);
}
