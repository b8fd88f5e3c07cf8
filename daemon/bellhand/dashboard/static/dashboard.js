// What the pages gain from a script: they stay up to date, obey keys, tell times in any zone, and draw charts.
// Everything else works without it. Nothing here writes HTML from text: what comes from the server is parsed as a document.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const page = document.body.dataset.page;
const poll = $("#poll");
const stored = {
  get: (name) => { try { return localStorage.getItem(`bellhand.${name}`); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(`bellhand.${name}`, value); } catch { /* private mode: it lasts for the page */ } },
};

// Times: relative to the database's clock, local, or UTC.

const ZONES = ["relative", "local", "UTC"];
let zone = ZONES.includes(stored.get("zone")) ? stored.get("zone") : "relative";
let ahead = 0; // how far the database's clock is ahead of this machine's, in milliseconds

function noteClock(root) {
  const clock = $("[data-clock]", root);
  if (clock) ahead = Date.parse(clock.dateTime) - Date.now();
}

function ago(milliseconds) {
  const past = milliseconds >= 0;
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 1.5) return "now";
  const [unit, size] = seconds < 90 ? ["s", 1] : seconds < 5400 ? ["min", 60] : seconds < 129600 ? ["h", 3600] : ["d", 86400];
  const text = `${Math.round(seconds / size)} ${unit}`;
  return past ? `${text} ago` : `in ${text}`;
}

function tellTimes() {
  for (const time of $$("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const local = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    const utc = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    if (time.title !== `${local} · ${utc}`) time.title = `${local} · ${utc}`;
    const relative = time.hasAttribute("data-clock") ? local : ago(Date.now() + ahead - moment);
    const text = { relative, local, UTC: utc }[zone];
    if (time.textContent !== text) time.textContent = text;
  }
  const button = $("[data-zone]");
  button.hidden = false;
  button.textContent = `${zone} ( z )`;
}

function nextZone() {
  zone = ZONES[(ZONES.indexOf(zone) + 1) % ZONES.length];
  stored.set("zone", zone);
  tellTimes();
}

// Light and dark, as the server writes it into the page: no flash at the next one.

function switchTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  document.cookie = `bellhand_theme=${dark ? "light" : "dark"}; path=/; max-age=31536000; samesite=lax`;
  drawCharts(true);
}

// Staying up to date: the page is asked for again and its live parts are changed in place, so that focus, selection,
// opened details and the place on the screen stay as they are.

let live = stored.get("live") !== "off";

function resting() {
  const selected = getSelection();
  const reading = selected && !selected.isCollapsed && $("main").contains(selected.anchorNode);
  return !live || document.hidden || reading || $("dialog[open]") || $(".menu[open]");
}

function showLive() {
  const sign = $("#live");
  sign.hidden = !poll.dataset.livePath;
  const on = live && !document.hidden;
  if (sign.dataset.on !== (on ? "yes" : "no")) sign.dataset.on = on ? "yes" : "no";
  sign.textContent = live ? "live" : "not live ( l )";
}

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
  if (old.nodeName === "TIME" && old.dateTime === fresh.dateTime) return;
  const own = old.nodeName === "DETAILS" ? ["open"] : ["INPUT", "SELECT", "TEXTAREA"].includes(old.nodeName) ? ["value", "checked"] : [];
  for (const { name, value } of [...fresh.attributes]) {
    if (!own.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!own.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  const wanted = [...fresh.childNodes];
  const had = [...old.childNodes];
  wanted.forEach((child, at) => (had[at] ? morph(had[at], child) : old.append(document.importNode(child, true))));
  had.slice(wanted.length).forEach((child) => child.remove());
}

// A list keeps its rows: those that are in both are changed, new ones are only counted.
function changeRows(fresh) {
  let more = 0;
  for (const row of $$("[data-row]", fresh)) {
    const here = document.getElementById(row.id);
    if (here) morph(here, row);
    else more += 1;
  }
  const told = $("[data-more]");
  if (!told) return;
  told.hidden = more === 0;
  const text = more === 1 ? "1 new job: show it" : `${more} new jobs: show them`;
  if (told.textContent !== text) told.textContent = text;
}

let spokenAt = -1e9;
function speak() {
  const bar = $("[data-spoken] [role=progressbar]");
  const text = [$("[data-spoken] .state")?.textContent, bar?.getAttribute("aria-valuetext")].filter(Boolean).join(", ");
  if (!text || $("#spoken").dataset.last === text || performance.now() - spokenAt < 10000) return;
  if ($("#spoken").dataset.last) {
    $("#spoken").textContent = text;
    spokenAt = performance.now();
  }
  $("#spoken").dataset.last = text;
}

function takeIn(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (fresh.body.dataset.page !== page) return;
  document.documentElement.classList.toggle("stale", fresh.documentElement.classList.contains("stale"));
  noteClock(fresh);
  for (const part of $$("[data-live]", fresh)) {
    const here = document.getElementById(part.id);
    if (part.dataset.live === "rows") changeRows(part);
    else if (here) morph(here, part);
  }
  const clock = $("[data-clock]", fresh);
  if (clock) $("[data-clock]").dateTime = clock.dateTime;
  $("#lost").hidden = true;
  tellTimes();
  drawCharts(false);
  speak();
  follow();
}

function lost(why) {
  document.documentElement.classList.add("stale");
  $("#lost span").textContent = `${why} What you see is how it stood at ${$("[data-clock]").textContent}; this page goes on asking.`;
  $("#lost").hidden = false;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target === poll && resting()) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target !== poll) return;
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  const { status, responseText } = event.detail.xhr;
  if (status < 400 || responseText.includes('data-page="')) takeIn(responseText);
  else lost(`The daemon answered ${status}.`);
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => { if (event.target === poll) lost("The daemon cannot be reached."); });
}
document.addEventListener("visibilitychange", () => {
  showLive();
  follow();
  if (!document.hidden && poll.dataset.livePath) window.htmx?.trigger(poll, "bellhand:changed");
});

// Charts: each is drawn from the table that says the same, so there is nothing that only a picture tells.

const charts = new Map();

function drawCharts(anew) {
  if (!window.uPlot) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  for (const figure of $$("[data-chart]")) {
    const place = $("[data-keep]", figure);
    const heads = $$("thead th", figure);
    const rows = $$("tbody tr", figure).map((row) => $$("th, td", row).map((cell) => Number(cell.dataset.value ?? cell.textContent)));
    if (!rows.length) continue;
    const data = heads.map((_, at) => rows.map((row) => row[at]));
    const drawn = charts.get(figure);
    if (drawn && !anew) {
      drawn.setData(data);
      continue;
    }
    drawn?.destroy();
    place.hidden = false;
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const series = heads.slice(1).map((head) => ({
      label: head.textContent, stroke: colour(head.dataset.tone), width: 2, dash: head.dataset.dash ? [6, 4] : undefined,
      fill: head.dataset.fill ? `${colour(head.dataset.tone)}22` : undefined, points: { show: false },
    }));
    const options = {
      width: Math.max(240, place.clientWidth), height: 190, series: [{}, ...series], cursor: { y: false }, legend: { live: false },
      axes: [axis, { ...axis, size: 44 }], scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
    };
    charts.set(figure, new window.uPlot(options, data, place));
  }
}

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => drawCharts(true), 150);
});

// Copying: the clipboard needs https or localhost, so there is an older way behind it.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  $("#spoken").textContent = "Copied";
}

function addCopyButtons() {
  for (const block of $$("pre[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain small";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(block.textContent));
    block.previousElementSibling?.append(" ", button);
  }
}

// Choosing rows for the bulk bar.

function showChosen() {
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

const PLACES = { o: "/", j: "/jobs", f: "/failures", l: "/lanes", s: "/schedules", w: "/workers", k: "/kinds", y: "/system" };
let going = 0;

function currentRow() {
  return document.activeElement?.closest?.("[data-row]");
}

function step(by) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  const at = rows.indexOf(currentRow());
  const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  $("[data-open]", row)?.focus();
  row.scrollIntoView({ block: "nearest" });
}

function act(name) {
  const button = $(`main button[data-act="${name}"]`);
  if (button && page === "job") return button.click();
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

const KEYS = {
  "/": () => $("#find").focus(), "?": () => $("#keys").showModal(), j: () => step(1), k: () => step(-1), x: choose,
  r: () => act("retry"), c: () => act("cancel"), p: () => act(page === "job" && $('main button[data-act="resume"]') ? "resume" : "pause"),
  n: () => act("run_now"), u: () => $('main button[data-act="undo"]')?.click(),
  y: () => $("[data-id]") && copy($("[data-id]").dataset.id), Y: () => $("pre[data-copy]") && copy($("pre[data-copy]").textContent),
  l: () => { live = !live; stored.set("live", live ? "on" : "off"); showLive(); follow(); },
  z: nextZone, t: switchTheme, "[": () => $("a[rel=prev]")?.click(), "]": () => $("a[rel=next]")?.click(),
  g: () => { going = performance.now(); },
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    $("#palette").showModal();
    return;
  }
  const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog[open]");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || stored.get("keys") === "off") return;
  if (going && performance.now() - going < 1500 && PLACES[event.key]) {
    location.href = PLACES[event.key];
    return;
  }
  going = 0;
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("button, a");
  if (!target) return;
  if (target.matches("[data-theme-toggle]")) { event.preventDefault(); switchTheme(); }
  if (target.matches("[data-zone]")) nextZone();
  if (target.matches("[data-help]")) $("#keys").showModal();
  if (target.matches("[data-close]")) target.closest("dialog").close();
});

$("#palette form").addEventListener("submit", (event) => {
  const chosen = $$("#palette-places option").find((option) => option.value.toLowerCase() === $("#palette-input").value.trim().toLowerCase());
  if (!chosen) return;
  event.preventDefault();
  location.href = chosen.dataset.path;
});

// A job's own stream tells of a change at once; the poll behind it covers what a stream may miss. A hidden tab holds none.

const STREAMED = "snapshot started progress position pending scheduled retrying blocked paused completed partial failed cancelled".split(" ");
let stream = null;
let askedAt = -1e9;
let asking = 0;

function askSoon() {
  if (asking) return;
  asking = setTimeout(() => {
    asking = 0;
    askedAt = performance.now();
    window.htmx?.trigger(poll, "bellhand:changed");
  }, Math.max(0, 250 - (performance.now() - askedAt)));
}

function follow() {
  const source = $("[data-stream]")?.dataset.stream;
  if (!source || document.hidden || !live) {
    stream?.close();
    stream = null;
  } else if (!stream) {
    stream = new EventSource(source);
    for (const name of STREAMED) stream.addEventListener(`job.${name}`, askSoon);
  }
}

$("[data-help]").hidden = false;
$("[data-keys-off]").checked = stored.get("keys") === "off";
noteClock(document);
tellTimes();
setInterval(() => { if (!document.hidden) tellTimes(); }, 5000);
showLive();
follow();
showChosen();
addCopyButtons();
drawCharts(false);
speak();
