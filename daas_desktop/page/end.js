// "End session": the program is asked to close first; force is the person's second word.

import { focusPicture } from "./keys.js";
import { $, post, title } from "./page.js";

// `states` is the page's EventSource; `over` shows that the session has ended.
export function endIn(states, over) {
  if (!$("end")) return;
  const tell = async (how) => {
    try {
      const answer = await post(`end?how=${how}`);
      if (!answer.ok) say((await answer.text()).trim(), true);
    } catch {
      say("The session does not answer. Try again, or end it in the portal.", true);
    }
  };
  const show = (phase) => {
    if (phase === "over") {
      hide();
      over();
    } else if (phase === "asked") say(`${title} is asked to close…`);
    else if (phase === "question")
      say(`${title} asks something in its window. Answer it, or end the session anyway.`, true);
    else hide();
  };
  states.addEventListener("closing", (event) => show(JSON.parse(event.data)));
  $("end-open").addEventListener("click", () => $("end").showModal());
  $("end").addEventListener("close", focusPicture);
  $("end-now").addEventListener("click", () => tell("ask"));
  $("end-ended").addEventListener("click", () => tell("ask"));
  $("ending-force").addEventListener("click", () => tell("force"));
  $("ending-keep").addEventListener("click", () => tell("keep"));
  $("ending").addEventListener("keydown", (event) => {
    if (event.key === "Escape") focusPicture();
  });
}

function say(text, choices = false) {
  $("ending").hidden = false;
  $("ending-text").textContent = text;
  $("ending-force").hidden = $("ending-keep").hidden = !choices;
}

function hide() {
  const mine = $("ending").contains(document.activeElement);
  $("ending").hidden = true;
  if (mine) focusPicture();
}
