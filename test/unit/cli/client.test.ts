import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { QuietEventSource } from "../../../cli/src/client.ts";
import { httpFetch } from "../../../cli/src/http-fetch.ts";

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

test("who has left an event stream gets nothing of it any more, not even what came with the last", async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\nevent: return\ndata:\n\n");
    response.end("event: last\ndata:\n\n");
  });
  const source = new QuietEventSource(server.url);
  const heard: string[] = [];
  source.addEventListener("message", ({ data }) => {
    heard.push(String(data));
    source.close();
  });
  source.addEventListener("return", () => heard.push("return"));
  await once(source, "message");
  expect(heard).toEqual(["first"]);
});

test("a request carries its method, head and body, and the answer its status and JSON", async () => {
  await using server = await serve((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      response.writeHead(request.method === "POST" ? 200 : 404);
      response.end(JSON.stringify({ body, authorization: request.headers.authorization }));
    });
  });
  const asked = { method: "POST", headers: { authorization: "Bearer x" }, body: "Grüße" };
  const posted = await httpFetch(server.url, asked);
  expect([posted.ok, posted.status]).toEqual([true, 200]);
  expect(await posted.json()).toEqual({ body: "Grüße", authorization: "Bearer x" });
  const missing = await httpFetch(new URL(server.url));
  expect([missing.ok, missing.status]).toEqual([false, 404]);
});

test("a request that nobody answers rejects, and so does one that is given up", async () => {
  await expect(httpFetch("http://127.0.0.1:1/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await using server = await serve(() => undefined);
  const leaving = new AbortController();
  const asked = httpFetch(server.url, { signal: leaving.signal });
  leaving.abort();
  await expect(asked).rejects.toMatchObject({ name: "AbortError" });
});
