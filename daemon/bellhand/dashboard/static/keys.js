// Keys, choosing rows, and copying.

import { $, $$, flash, page, stored } from "./page.js";

// Copying: the clipboard needs https or localhost, so there is an older way behind it.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus?.({ preventScroll: true });
    if (!done) return flash("This browser lets no page copy here: select the text and copy it yourself");
  }
  flash("Copied");
}

async function copyFrom(path) {
  const answer = await fetch(path).catch(() => null);
  if (answer?.ok) return copy(await answer.text());
  flash("The daemon did not answer: nothing was copied");
}

function copyButton(doing) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain small";
  button.textContent = "Copy";
  button.addEventListener("click", doing);
  return button;
}

/** A button at every text that is meant for a shell, and at what is shown as a tree. */
export function addCopyButtons() {
  for (const block of $$("pre[data-copy]")) block.previousElementSibling?.append(" ", copyButton(() => copy(block.textContent)));
  for (const place of $$("[data-copies]")) place.append(" ", copyButton(() => copyFrom(place.dataset.copies)));
}

// Choosing rows for the bulk bar.

/** How many rows are chosen, said at the bulk bar. */
export function showChosen() {
  const chosen = $$("input[name=id]:checked");
  for (const box of $$("input[name=id]")) box.closest("tr").classList.toggle("chosen", box.checked);
  const count = $("[data-chosen]");
  if (count) count.textContent = chosen.length ? `${chosen.length} chosen` : "None chosen";
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of $$("input[name=id]")) box.checked = event.target.checked;
  if (event.target.matches("input[name=id], [data-all]")) showChosen();
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  if (event.target.matches("[data-keys-off]")) stored.set("keys", event.target.checked ? "off" : "on");
});

// Keys.

const PLACES = { o: "/", j: "/jobs", f: "/failures", l: "/lanes", q: "/lanes", s: "/schedules", w: "/workers", k: "/kinds", y: "/system" };
let going = 0;

function currentRow() {
  return document.activeElement?.closest?.("[data-row]");
}

function step(by) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  const at = rows.indexOf(currentRow());
  const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  const place = $("[data-open]", row) ?? $("a, button, summary, input", row) ?? row;
  if (place === row) row.tabIndex = -1; // nothing in it can be opened or told, but it is where one is
  place.focus();
  row.scrollIntoView({ block: "nearest" });
}

function act(name) {
  const button = $(`main button[data-act="${name}"]`);
  if (button && ["job", "failure"].includes(page)) return button.click();
  const bulk = $("#bulk");
  if (!bulk) return;
  if (!$("input[name=id]:checked")) {
    const box = currentRow() && $("input[name=id]", currentRow());
    if (!box) return;
    box.checked = true;
  }
  bulk.elements.action.value = name;
  bulk.requestSubmit();
}

function choose() {
  const box = currentRow() && $("input[name=id]", currentRow());
  if (!box) return;
  box.checked = !box.checked;
  showChosen();
}

const firstLine = () => $("pre[data-copy]")?.textContent.split("\n")[0];

const KEYS = {
  "/": () => $("#find").focus(), "?": () => $("#keys").showModal(), j: () => step(1), k: () => step(-1), x: choose,
  r: () => act("retry"), c: () => act("cancel"), p: () => act(page === "job" && $('main button[data-act="resume"]') ? "resume" : "pause"),
  n: () => act("run_now"), u: () => $('main button[data-act="undo"]')?.click(),
  y: () => $("[data-id]") && copy($("[data-id]").dataset.id), Y: () => firstLine() && copy(firstLine()),
  "[": () => $("a[rel=prev]")?.click(), "]": () => $("a[rel=next]")?.click(), g: (event) => { going = event.timeStamp; },
};

/** More keys, from who knows what they do. */
export function addKeys(more) {
  Object.assign(KEYS, more);
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    $("#palette").showModal();
    return;
  }
  const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog[open]");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || stored.get("keys") === "off") return;
  if (going && event.timeStamp - going < 1500 && PLACES[event.key]) {
    location.href = PLACES[event.key];
    return;
  }
  going = 0;
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key](event);
});

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("button, a");
  if (!target) return;
  if (target.matches("[data-theme-toggle]")) { event.preventDefault(); KEYS.t(); }
  if (target.matches("[data-zone]")) KEYS.z();
  if (target.matches("[data-help]")) KEYS["?"]();
  if (target.matches("[data-close]")) target.closest("dialog").close();
});

$("[data-help]").hidden = false;
$("[data-keys-off]").checked = stored.get("keys") === "off";
