import { generateKeyPairSync, sign } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { grantLifetimeMs, Hello, supervisorPaths } from "../../../server/protocol/supervisor.ts";
import { signer, testSupervisor, workspace } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
let skewMs = 0;
beforeEach(async () => {
  skewMs = 0;
  supervisor = await testSupervisor({ now: () => Date.now() + skewMs });
});
afterEach(() => supervisor[Symbol.asyncDispose]());

const list = (authorization: string) =>
  supervisor.http("GET", supervisorPaths.terminals, { headers: { authorization } });

test("hello needs no grant and names the workspace and the boot", async () => {
  const { status, body } = await supervisor.http("GET", "/hello", {
    headers: { authorization: "none" },
  });
  expect(status).toBe(200);
  const hello = Hello.parse(JSON.parse(body));
  expect(hello).toMatchObject({ protocol: 1, workspace, boot: supervisor.boot });
});

test("a grant works once", async () => {
  const grant = supervisor.grant("terminal");
  expect((await list(grant)).status).toBe(200);
  const again = await list(grant);
  expect(again.status).toBe(401);
  expect(JSON.parse(again.body)).toMatchObject({ code: "forbidden" });
});

test("a grant that has expired is refused", async () => {
  const grant = supervisor.grant("terminal");
  skewMs = grantLifetimeMs + 1000;
  expect((await list(grant)).status).toBe(401);
});

test("a used grant stays refused as long as it would be good", async () => {
  const grant = supervisor.grant("terminal");
  expect((await list(grant)).status).toBe(200);
  skewMs = grantLifetimeMs - 5000;
  expect((await list(supervisor.grant("terminal"))).status).toBe(200);
  expect((await list(grant)).status).toBe(401);
});

test("a grant for another workspace or another boot is refused", async () => {
  const claims = {
    boot: supervisor.boot,
    actor: "a",
    action: "terminal",
    readOnly: false,
  } as const;
  expect((await list(signer().sign({ ...claims, workspace: "other" }))).status).toBe(401);
  expect((await list(signer().sign({ ...claims, workspace, boot: "old" }))).status).toBe(401);
});

test("a forged, cut or missing grant is refused", async () => {
  const { boot } = supervisor;
  const claims = { workspace, boot, actor: "a", action: "terminal", readOnly: false } as const;
  const forged = signer("another secret").sign(claims);
  const good = supervisor.grant("terminal");
  const [payload = "", signature = ""] = good.slice("Oneloop ".length).split(".");
  const raised = Buffer.from(
    Buffer.from(payload, "base64url").toString().replace('"terminal"', '"exec"'),
  ).toString("base64url");
  for (const bad of ["", "Oneloop", "Bearer x", forged, good.slice(0, -3), `${good}.x`]) {
    expect((await list(bad)).status).toBe(401);
  }
  expect((await list(`Oneloop ${raised}.${signature}`)).status).toBe(401);
  // None of that used the good one up.
  expect((await list(good)).status).toBe(200);
});

test("a signature by an own key does not help", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const payload = supervisor.grant("terminal").slice("Oneloop ".length).split(".")[0] ?? "";
  const signature = sign(null, Buffer.from(payload), privateKey).toString("base64url");
  expect((await list(`Oneloop ${payload}.${signature}`)).status).toBe(401);
});

test("a grant allows its action only", async () => {
  expect((await list(supervisor.grant("exec"))).status).toBe(403);
  const query = encodeURIComponent(JSON.stringify({ argv: ["true"] }));
  for (const action of ["terminal", "dial", "state"] as const) {
    const { status, socket } = await supervisor.upgrade(
      `/exec?q=${query}`,
      supervisor.grant(action),
    );
    socket.destroy();
    expect(status).toBe(403);
  }
});

test("a read-only grant may list, and neither create, end, run nor dial", async () => {
  const readOnly = true;
  const terminal = await supervisor.createTerminal(["cat"]);
  expect((await supervisor.http("GET", "/terminals", { readOnly })).status).toBe(200);
  expect((await supervisor.http("POST", "/terminals", { readOnly, body: "{}" })).status).toBe(403);
  const end = await supervisor.http("DELETE", supervisorPaths.terminal(terminal.id), { readOnly });
  expect(end.status).toBe(403);
  for (const action of ["exec", "dial"] as const) {
    const { status, socket } = await supervisor.upgrade(
      `/${action}?q=${encodeURIComponent('{"argv":["true"],"port":1}')}`,
      supervisor.grant(action, readOnly),
    );
    socket.destroy();
    expect(status).toBe(403);
  }
  expect(await supervisor.terminals()).toMatchObject([{ id: terminal.id, running: true }]);
});

test("another Host is refused, for requests and for upgrades", async () => {
  const call = { headers: { host: `127.0.0.1:${supervisor.port}` } };
  expect((await supervisor.http("GET", "/hello", call)).status).toBe(421);
  const { status, socket } = await supervisor.upgrade(
    `/exec?q=${encodeURIComponent('{"argv":["true"]}')}`,
    supervisor.grant("exec"),
    { host: "attacker.example" },
  );
  socket.destroy();
  expect(status).toBe(421);
});

test("what is unknown, malformed or too long is refused, and the supervisor goes on", async () => {
  expect((await supervisor.http("GET", "/nothing")).status).toBe(404);
  expect((await supervisor.http("DELETE", "/terminals/none")).status).toBe(404);
  const post = (body: string) => supervisor.http("POST", "/terminals", { body });
  expect((await post("{")).status).toBe(400);
  expect((await post('{"cols":0}')).status).toBe(400);
  expect((await post('{"command":["/does/not/exist"]}')).status).toBe(400);
  expect((await post(JSON.stringify({ title: "x".repeat(65 * 1024) }))).status).toBe(413);
  expect((await supervisor.http("GET", "/hello")).status).toBe(200);
});
