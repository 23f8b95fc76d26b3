// The candles a signal was judged by, with its levels as price lines. Drawn again when the colours change or a part of the page is exchanged.

const KINDS = { entry: ["--calm", 0], liquidation: ["--bad", 2], stop: ["--warn", 2], mid: ["--quiet", 3], level: ["--quiet", 1] };
const drawn = new Map();

function colour(name) {
  // light-dark() is resolved by the browser where it is used, so it is asked of an element.
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function look() {
  return {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colour("--soft"), fontSize: 11, attributionLogo: false },
    grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
    timeScale: { timeVisible: true, rightOffset: 7, borderColor: colour("--line") },
    rightPriceScale: { borderColor: colour("--line"), scaleMargins: { top: 0.08, bottom: 0.08 } },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  };
}

function decimals(price) {
  const magnitude = Math.floor(Math.log10(Math.abs(price) || 1));
  return Math.max(0, Math.min(8, 4 - magnitude));
}

function draw(box, data) {
  drawn.get(box)?.remove();
  const { createChart, CandlestickSeries, createSeriesMarkers } = globalThis.LightweightCharts;
  const chart = createChart(box, look());
  drawn.set(box, chart);
  const good = colour("--good");
  const bad = colour("--bad");
  const precision = decimals(data.bars.at(-1)[4]);
  const levels = data.levels.map((level) => ({ ...level, price: Number(level.price) }));
  const candles = chart.addSeries(CandlestickSeries, {
    upColor: good, wickUpColor: good, downColor: bad, wickDownColor: bad, borderVisible: false,
    lastValueVisible: false, priceLineVisible: false,
    priceFormat: { type: "price", precision, minMove: 10 ** -precision },
    autoscaleInfoProvider: (original) => widened(original(), levels),
  });
  candles.setData(data.bars.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  for (const { name, kind, price } of levels) {
    const [token, lineStyle] = KINDS[kind];
    candles.createPriceLine({ price, title: kind === "stop" || kind === "level" ? "" : kind, color: colour(token), lineWidth: 1, lineStyle, axisLabelVisible: kind !== "level" });
  }
  const up = (data.side === "long") === data.opens;
  createSeriesMarkers(candles, [{ time: data.bars.at(-1)[0], position: up ? "belowBar" : "aboveBar", shape: up ? "arrowUp" : "arrowDown", color: colour("--calm"), text: data.opens ? data.side : "close" }]);
  chart.timeScale().fitContent();
}

// Room for entry and stops; a liquidation price far away must not flatten the candles.
function widened(info, levels) {
  if (!info?.priceRange) return info;
  const { minValue, maxValue } = info.priceRange;
  const reach = (maxValue - minValue) * 1.2;
  const near = levels.map((level) => level.price).filter((price) => price > minValue - reach && price < maxValue + reach);
  return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
}

function legend(box, data) {
  const list = document.getElementById(box.id.replace("chart-", "legend-"));
  const bars = { name: data.interval, price: `× ${data.bars.length}` };
  list.replaceChildren(...[bars, ...data.levels].map(({ name, price, kind }) => {
    const item = document.createElement("li");
    item.textContent = `${name} ${price}`;
    if (kind) item.dataset.kind = kind;
    return item;
  }));
}

async function fill(box) {
  box.dataset.state = "loading";
  const answer = await fetch(box.dataset.chart);
  if (!answer.ok) { box.textContent = "The candles could not be loaded."; return; }
  const data = await answer.json();
  box.data = data;
  draw(box, data);
  legend(box, data);
  box.dataset.state = "drawn";
}

function all() {
  for (const box of document.querySelectorAll("[data-chart]:not([data-state])")) fill(box);
}

document.addEventListener("lens:theme", () => { for (const box of drawn.keys()) if (box.isConnected) draw(box, box.data); });
document.addEventListener("htmx:afterSettle", all);
all();
