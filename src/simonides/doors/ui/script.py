"""The page's own small script: shortcuts, sliders, results without a new page. Everything works without it too."""

SCRIPT = r"""
"use strict";
const root = document.documentElement;
const get = (id) => document.getElementById(id);
const DAY = 86400000;
root.classList.add("js");

// Days of a slider and the date field beside it say the same; the right end of the slider is "now".
function dayOf(slider) {
  const field = get(slider.dataset.dayOf);
  const now = slider.value === slider.max;
  field.value = now ? "" : new Date(slider.value * DAY).toISOString().slice(0, 10);
  slider.setAttribute("aria-valuetext", now ? "now" : field.value);
}
function sliderOf(field) {
  const slider = document.querySelector(`[data-day-of="${field.id}"]`);
  if (!slider) return;
  slider.value = field.value ? Date.parse(field.value) / DAY : slider.max;
  slider.setAttribute("aria-valuetext", field.value || "now");
}

// Forms that show their result in the same page.
let waiting, asking;
async function ask(form) {
  asking?.abort();
  asking = new AbortController();
  const result = get("result");
  result?.setAttribute("aria-busy", "true");
  try {
    const sent = { method: "POST", body: new URLSearchParams(new FormData(form)), signal: asking.signal };
    take(await fetch(form.action, sent));
  } catch (err) {
    if (err.name !== "AbortError") say("The page does not answer. Is `simonides ui` still running?");
  }
}
async function take(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("result") ?? page.getElementById("main");
  const old = page.getElementById("result") ? get("result") : get("main");
  if (!fresh || !old) return location.reload();
  old.replaceWith(document.adoptNode(fresh));
  say(fresh.querySelector("[data-said]")?.textContent ?? "");
  if (get("main")?.dataset.again) again();
}
function say(text) { const place = get("said"); if (place) place.textContent = text; }

// A page that changes by itself, such as an import at work.
async function again() {
  const seconds = Number(get("main")?.dataset.again);
  if (!seconds) return;
  await new Promise((done) => setTimeout(done, seconds * 1000));
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = page.getElementById("main");
  if (!fresh) return location.reload();
  get("main").replaceWith(document.adoptNode(fresh));
  say(fresh.querySelector("[data-said]")?.textContent ?? "");
  again();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.live !== undefined) { event.preventDefault(); ask(form); }
  if (get("theme")?.form === form) { event.preventDefault(); theme(form); }
});
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.dataset?.dayOf) dayOf(field);
  if (field.type === "date") sliderOf(field);
  const form = field.form;
  if (form?.dataset.live === undefined || field.type === "search") return;
  if (!form.querySelector("[type=search]")?.value.trim()) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => ask(form), 250);
});
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.dataset.sends !== undefined) form.requestSubmit();
});

// Light, dark, or what the system says.
function theme(form) {
  const button = get("theme"), next = button.value, names = { system: "System", light: "Light", dark: "Dark" };
  const after = { system: "light", light: "dark", dark: "system" };
  const body = new URLSearchParams({ theme: next, back: "" });
  fetch(form.action, { method: "POST", body, redirect: "manual" });
  if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
  button.value = after[next];
  button.textContent = `◐ ${names[next]}`;
  button.setAttribute("aria-label", `Theme: ${names[next]}. Change to ${names[after[next]]}`);
}

// Shortcuts, which can be switched off for those whose software types by itself.
const ON = "simonides-shortcuts";
const switched = get("shortcuts");
if (switched) {
  switched.checked = localStorage.getItem(ON) !== "off";
  switched.addEventListener("change", () => localStorage.setItem(ON, switched.checked ? "on" : "off"));
}
function openHelp() { const help = get("help"); if (help && !help.open) help.showModal(); }
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-opens]")) { event.preventDefault(); openHelp(); }
});
let before = "";
function step(by) {
  const entries = [...document.querySelectorAll("[data-entry]")];
  const now = entries.indexOf(document.activeElement);
  entries[Math.min(Math.max(now + by, 0), entries.length - 1)]?.focus();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || (switched && !switched.checked)) return;
  if (event.target.closest("input:not([type=checkbox],[type=range]), textarea, select, dialog")) return;
  const key = event.key, first = before;
  before = key === "g" && first !== "g" ? "g" : "";
  if (first === "g") {
    const link = document.querySelector(`nav [data-key="${CSS.escape(key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
  } else if (key === "/") {
    event.preventDefault();
    const field = document.querySelector("main [type=search]");
    if (field) { field.focus(); field.select(); } else location.assign(`${root.dataset.root}/search`);
  } else if (key === "?") { event.preventDefault(); openHelp(); }
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "n") document.querySelector("[rel=next]")?.click();
  else if (key === "p") document.querySelector("[rel=prev]")?.click();
});

document.querySelectorAll("input[type=date]").forEach(sliderOf);
again();
"""
