// What every page has: the clock, light and dark, keyboard shortcuts, copy buttons.

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
}

function switchTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem("lens.theme", root.dataset.theme);
  announceTheme();
}

// Charts are painted, not styled: they listen for this.
function announceTheme() {
  document.dispatchEvent(new CustomEvent("lens:theme"));
}

function tick() {
  const clock = document.getElementById("clock");
  if (clock) clock.textContent = new Date().toISOString().slice(11, 19);
}

function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const done = () => {
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(source.textContent.trim()).then(done);
  else getSelection().selectAllChildren(source);
}

// Shortcuts: single keys, never while something is typed or with a modifier held. `g` waits for the page's letter.
let leader = -Infinity;
const shortcuts = {
  "t": switchTheme,
  "?": () => document.getElementById("help").showModal(),
  "/": () => document.querySelector("[data-first]")?.focus(),
  "p": () => document.getElementById("pause")?.click(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog[open]")) return;
  if (event.timeStamp - leader < 1200) {
    leader = -Infinity;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
  } else if (event.key === "g") {
    leader = event.timeStamp;
  } else if (shortcuts[event.key]) {
    event.preventDefault();
    shortcuts[event.key]();
  }
}

document.getElementById("theme").addEventListener("click", switchTheme);
document.getElementById("help-button").addEventListener("click", shortcuts["?"]);
document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
dark.addEventListener("change", announceTheme);
tick();
setInterval(tick, 1000);
