// What the scripts of the pages share.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const page = document.body.dataset.page;

export const stored = {
  get: (name) => { try { return localStorage.getItem(`bellhand.${name}`); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(`bellhand.${name}`, value); } catch { /* private mode: it lasts for the page */ } },
};

/** For those who hear the page. */
export function say(text) {
  $("#spoken").textContent = text;
}

const FLASH_MS = 2500;
let shown = 0;

/** For everybody: what was just done, for a moment. */
export function flash(text) {
  say(text);
  const place = $("#flash");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(shown);
  shown = setTimeout(() => { place.hidden = true; }, FLASH_MS);
}
