// Finding: what is being written into a search box is completed from what there is, and the palette goes to any page, job or failure.

import { $, $$ } from "./page.js";

const PAUSE_MS = 150;

// The browser shows the list of an input; it is filled with whole texts, so that only the last term of many is completed.
function complete(input, list) {
  let waiting = 0;
  let asked = "";
  const fill = async () => {
    if (input.value === asked) return;
    asked = input.value;
    const answer = await fetch(`/jobs/words?${new URLSearchParams({ q: asked })}`).catch(() => null);
    if (!answer?.ok || input.value !== asked) return;
    const words = (await answer.json()).map((word) => new Option(word.said ?? "", word.text));
    list.replaceChildren(...$$("option[data-path]", list), ...words);
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(fill, PAUSE_MS);
  };
  input.addEventListener("input", soon);
  input.addEventListener("focus", soon);
}

/** Completes every search box there is. */
export function addFinding() {
  for (const input of $$("input[list=q-words], #palette-input")) complete(input, input.list);
  $("#palette form").addEventListener("submit", (event) => {
    const written = $("#palette-input").value.trim().toLowerCase();
    const chosen = $$("#palette-places option[data-path]").find((option) => option.value.toLowerCase() === written);
    if (!chosen) return;
    event.preventDefault();
    location.href = chosen.dataset.path;
  });
}
