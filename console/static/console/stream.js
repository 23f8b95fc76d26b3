// The decision stream over a socket, resumed by seq: each frame is heard once, however often the connection breaks.
//
// States: connecting → live ⇄ stale (nothing heard for two heartbeats) → lost (closed, trying again).

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const OPENS_WITHIN_MS = 5_000;
const BEATS_MISSED = 2;
// Closed for good: asking again with the same session would be refused again.
const REFUSED = new Set([4401, 4403]);

export class Stream {
  constructor(plan, heard, turned, missed) {
    Object.assign(this, { plan, heard, turned, missed });
    this.seq = plan.since.seq;
    this.epoch = plan.since.epoch;
    this.failures = 0;
    this.heartbeat = 5_000;
    this.state = "connecting";
    this.since = Date.now();
    this.ring();
    setInterval(() => this.look(), 500);
    addEventListener("online", () => this.hurry());
  }

  // Sockets have ports of their own; behind a proxy they are where the page is. Each in turn.
  address() {
    const own = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/decisions`;
    const all = [...this.plan.sockets, own];
    return all[this.failures % all.length];
  }

  ring() {
    clearTimeout(this.again);
    const socket = new WebSocket(this.address(), "lens.v1");
    this.socket = socket;
    this.opening = setTimeout(() => socket.close(), OPENS_WITHIN_MS);
    socket.onmessage = (event) => { if (socket === this.socket) this.hear(JSON.parse(event.data)); };
    socket.onclose = (event) => { if (socket === this.socket) this.closed(event.code); };
  }

  hear(frame) {
    clearTimeout(this.opening);
    this.at = Date.now();
    switch (frame.type) {
      case "welcome":
        this.heartbeat = frame.heartbeat_s * 1000;
        this.subscribe();
        break;
      case "subscribed":
        this.failures = 0;
        if (frame.recovered === false) { this.epoch = frame.epoch; this.seq = frame.head_seq; }
        this.head = Math.max(this.seq, frame.head_seq);
        this.turn("live");
        break;
      case "decision":
      case "verdict":
        this.take(frame);
        break;
      case "heartbeat":
        this.head = frame.head_seq;
        this.turn("live");
        break;
      case "resync":
        this.missed(frame.reason);
        break;
      case "error":
        this.missed(`${frame.code}: ${frame.message}`);
    }
  }

  take(frame) {
    // The chain proves that nothing lies between. If something does, ask again from the last frame that is certain.
    if (frame.prev_seq !== this.seq) { this.socket.close(); return; }
    this.seq = frame.seq;
    this.head = Math.max(this.head ?? 0, frame.seq);
    this.heard(frame);
    this.turn("live");
  }

  subscribe() {
    const since = { epoch: this.epoch, seq: this.seq };
    this.socket.send(JSON.stringify({ op: "subscribe", id: 1, filter: this.plan.filter, since }));
  }

  closed(code) {
    clearTimeout(this.opening);
    if (REFUSED.has(code)) { this.turn("refused"); return; }
    this.turn("lost");
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.again = setTimeout(() => this.ring(), pause);
  }

  hurry() {
    if (this.state === "lost") this.ring();
  }

  look() {
    const silent = Date.now() - (this.at ?? this.since);
    if (this.state === "live" && silent > BEATS_MISSED * this.heartbeat) this.turn("stale");
    if (this.state === "stale" && silent > 3 * BEATS_MISSED * this.heartbeat) this.socket.close();
    this.turn(this.state);
  }

  turn(state) {
    this.state = state;
    this.turned(state, { head: this.head ?? this.seq, silent: Date.now() - (this.at ?? this.since) });
  }
}
