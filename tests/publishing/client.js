// An executor with Node's ws: hears some frames, hangs up without a word, resumes from its last seq, hears the rest.
// usage: node client.js URL KEY HALF ALL        prints what it was welcomed with and every seq with its prev_seq, as JSON
const WebSocket = require("ws");
const [url, key, half, all] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const seen = [];
let epoch = null;

function listen(until, done) {
  const socket = new WebSocket(url, ["lens.v1"], { headers: { "X-API-Key": key } });
  const last = seen.length ? seen[seen.length - 1][0] : 0;
  let over = false; // what has arrived already is still handed on after the end
  socket.on("message", (text) => {
    if (over) return;
    const frame = JSON.parse(text);
    if (frame.type === "welcome") {
      epoch = frame.epoch;
      socket.send(JSON.stringify({ op: "subscribe", id: 1, since: { epoch, seq: last } }));
    } else if (frame.type === "decision") {
      seen.push([frame.seq, frame.prev_seq]);
      if (seen.length === until) {
        over = true;
        socket.terminate();
        done(socket.protocol);
      }
    }
  });
}

listen(half, () => listen(all, (protocol) => console.log(JSON.stringify({ protocol, seen }))));
