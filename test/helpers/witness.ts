/**
 * A program of a workspace that says what it was sent: `node witness.mjs <address> <port>`.
 *
 * - `/headers`: the request's own headers, names and values in turn
 * - `/seen`: of all requests since the start, upgrades too: method, path and headers
 * - `/events`: one event at once, and nothing more; the stream stays open
 * - `/since`: when it began to listen, in ms since 1970
 * - `/upload`: answers when the first bytes have come, and does not wait for the rest
 * - `/big-head`: an answer whose head has 12 KiB
 * - every other path: a page that shows what a WebSocket of its own host says
 */
export const witness = `
import { createServer } from "node:http";
import { createHash } from "node:crypto";
const [address, port] = process.argv.slice(2);
const seen = [];
let since = 0;
const page = \`<!doctype html><title>Witness</title><h1>Witness</h1><p id=live></p><script>
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/live");
  socket.onmessage = ({ data }) => { document.querySelector("#live").textContent = data; };
</script>\`;
const server = createServer((request, response) => {
  const { method, url, rawHeaders } = request;
  if (url === "/seen") {
    response.end(JSON.stringify(seen));
    return;
  }
  if (url === "/since") {
    response.end(String(since));
    return;
  }
  seen.push({ method, url, rawHeaders });
  if (url === "/headers") response.end(JSON.stringify(rawHeaders));
  else if (url === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\\n\\n");
  } else if (url === "/upload") request.once("data", () => response.end("begun"));
  else if (url === "/big-head") response.setHeader("x-big", "a".repeat(12 * 1024)).end("big");
  else response.setHeader("content-type", "text/html").end(page);
});
server.on("upgrade", (request, socket) => {
  const { method, url, rawHeaders, headers } = request;
  seen.push({ method, url, rawHeaders });
  const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(headers["sec-websocket-key"] + guid).digest("base64");
  socket.on("error", () => socket.destroy());
  socket.write(
    "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n" +
      \`Sec-WebSocket-Accept: \${accept}\\r\\n\\r\\n\\x81\\x05hello\`,
    "latin1",
  );
});
server.listen(Number(port), address, () => (since = Date.now()));
`;

/** What `/seen` says. */
export interface Witnessed {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
}
