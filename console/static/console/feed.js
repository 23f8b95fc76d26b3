// Draws the stream into the feed's table: text only, newest on top, at most four times a second, never more than 200 rows.

import { Stream } from "./stream.js";

const MOST_ROWS = 200;
const DRAW_EVERY_MS = 250;

const table = document.getElementById("feed");
const body = table.tBodies[0];
const chip = document.getElementById("live");
const pause = document.getElementById("pause");
const gap = document.getElementById("gap");
let waiting = [];
let drawing = 0;
let paused = false;

const WORDS = {
  connecting: () => "connecting",
  live: (seen) => `live · seq ${seen.head}`,
  stale: (seen) => `stale ${Math.round(seen.silent / 1000)} s · seq ${seen.head}`,
  lost: (seen) => `no connection · seq ${seen.head}`,
  refused: () => "signed out · reload",
};

function turned(state, seen) {
  const text = WORDS[state](seen);
  // A chip that says the same again must not be read out again.
  if (chip.dataset.state !== state) {
    chip.dataset.state = state;
    // Whether there is nothing to show is known once what came first has been drawn.
    if (state === "live" && !paused) drawing ||= setTimeout(draw, DRAW_EVERY_MS);
  }
  if (chip.textContent !== text) chip.textContent = text;
}

function heard(frame) {
  waiting.push(frame);
  if (waiting.length > MOST_ROWS) waiting = waiting.slice(-MOST_ROWS);
  if (paused) pause.textContent = `Resume (${waiting.length})`;
  else drawing ||= setTimeout(draw, DRAW_EVERY_MS);
}

function draw() {
  drawing = 0;
  const rows = waiting.map(row).reverse();
  waiting = [];
  body.prepend(...rows);
  while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  document.getElementById("empty").hidden = body.rows.length > 0;
}

function row(frame) {
  const verdict = frame.type === "verdict";
  const line = element("tr", verdict ? "verdict" : "");
  if (!frame.snapshot) line.classList.add("fresh");
  line.append(
    cell("", element("time", "", frame.published_at.slice(11, 19), { datetime: frame.published_at, title: frame.published_at })),
    cell("", signalLink(frame), element("span", "event", frame.event_type === "OPEN_SIGNAL" ? "open" : "close")),
    cell("wide", element("span", "cut", frame.source, { title: frame.source })),
    cell("", element("span", "cut judge", verdict ? "verdict" : frame.model)),
    cell("", element("span", "word", frame.decision, { "data-word": frame.decision }), frame.fallback ? element("span", "tag", "fallback") : ""),
    cell("num", frame.confidence === null ? "–" : frame.confidence.toFixed(2)),
    cell("wide", verdict ? how(frame) : element("span", "state", frame.status, { "data-status": frame.status })),
    cell("num wide faint", String(frame.seq)),
  );
  return line;
}

function how(frame) {
  if (frame.data.reason) return element("span", "cut faint", frame.data.reason, { title: frame.data.reason });
  const agreeing = frame.data.votes.filter((vote) => vote.decision === frame.decision).length;
  return element("span", "faint", `${frame.data.policy}, ${agreeing} of ${frame.data.votes.length}`);
}

function signalLink(frame) {
  const href = table.dataset.page.replace("00000000-0000-0000-0000-000000000000", encodeURIComponent(frame.event_id));
  return element("a", "symbol", frame.symbol, { href });
}

function cell(name, ...content) {
  const made = element("td", name);
  made.append(...content);
  return made;
}

function element(tag, name, text, attributes = {}) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function missed(reason) {
  gap.textContent = `The stream could not go on from where this page was (${reason}). What is newer is shown; reload for the rest.`;
  gap.hidden = false;
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume" : "Pause";
  if (!paused) draw();
});

const plan = JSON.parse(table.dataset.stream);
const stream = new Stream(plan, heard, turned, missed);
// For people at the console and for tests: the socket of this page.
globalThis.lensStream = stream;
