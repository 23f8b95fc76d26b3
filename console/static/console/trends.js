// Lines over time, one per model, the same colour and dash for a model in every chart. Drawn again when colours or widths change.

const TOKENS = ["--calm", "--good", "--warn", "--bad", "--link", "--quiet"];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
const plots = new Map();

function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function draw(box) {
  plots.get(box)?.destroy();
  const { times, models, unit, since, until } = JSON.parse(box.dataset.trend);
  const names = Object.keys(models);
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const series = names.map((label, place) => ({
    label, stroke: colour(TOKENS[place % TOKENS.length]), dash: DASHES[place % DASHES.length], width: 1.75,
    spanGaps: false, points: { show: times.length < 40, size: 5 }, value: (_, value) => (value === null || value === undefined ? "–" : shown(value, unit)),
  }));
  const options = {
    width: box.clientWidth, height: box.clientHeight - 28, tzDate: (stamp) => globalThis.uPlot.tzDate(new Date(stamp * 1000), "UTC"),
    scales: { x: { time: true, range: () => [since, until] }, y: { range: (_, low, high) => bounds(low, high, unit) } },
    axes: [{ ...axis, size: 30, values: (_, splits, at, space, step) => splits.map((stamp) => label(stamp, step)) }, { ...axis, size: 54, values: (_, splits) => splits.map((value) => shown(value, unit)) }],
    series: [{ label: "UTC", value: (_, stamp) => (stamp ? label(stamp, 0) : "–") }, ...series],
    cursor: { points: { size: 7 } }, legend: { live: true },
  };
  plots.set(box, new globalThis.uPlot(options, [times, ...names.map((name) => models[name])], box));
}

function bounds(low, high, unit) {
  if (unit === "%") return [0, 105];
  return [0, (high || 1) * 1.1];
}

function shown(value, unit) {
  if (unit === "%") return `${Math.round(value)} %`;
  if (unit === "USD") return `$${value.toPrecision(2)}`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}

function label(stamp, step) {
  const text = new Date(stamp * 1000).toISOString();
  return step >= 86_400 ? text.slice(5, 10) : step === 0 ? text.slice(5, 16).replace("T", " ") : text.slice(11, 16);
}

function all() {
  for (const box of document.querySelectorAll("[data-trend]")) draw(box);
}

document.addEventListener("lens:theme", all);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; all(); } });
all();
