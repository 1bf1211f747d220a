import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { request, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { startBrowser, typeLine, waitForTerminal, type TestBrowser } from "../helpers/browser.ts";
import { testAuthority } from "../helpers/certificates.ts";
import { git } from "../helpers/git.ts";
import { untilNetworksRest } from "../helpers/engine-objects.ts";
import { Installation } from "../helpers/installation.ts";
import { startNginx, type Nginx } from "../helpers/nginx.ts";
import { freePort } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { witness } from "../helpers/witness.ts";
import { startInWorkspace, workspaceShell } from "../helpers/workspace-shell.ts";

/** As in docs/nginx.conf: a domain that nobody has. */
const domain = "oneloop.example.com";
const lifetime = new Lifetime();
let oneloop: Installation;
let nginx: Nginx;
let browser: TestBrowser;
let page: Page;
let app: string;
let repository: string;
let ws: WorkspaceSummary;
/** The Cookie header that signs in on the program's port. */
let cookie: string;
let ca: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-proxy-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "nginx"));
  const { tls, caFile } = await testAuthority(folder, `*.${domain}`);
  ca = await readFile(caFile, "utf8");
  const port = await freePort();
  app = `https://app.${domain}:${port}`;
  oneloop = lifetime.own(
    await Installation.start({ env: { ONELOOP_PUBLIC_URL: app, ONELOOP_DOMAIN: domain } }),
  );
  nginx = lifetime.own(
    await startNginx({
      ...{ folder: join(folder, "nginx"), domain, tls, port, upstream: oneloop.port },
    }),
  );
  const { publicKey } = new X509Certificate(tls.cert);
  const spki = publicKey.export({ type: "spki", format: "der" });
  browser = lifetime.own(
    await startBrowser(
      `--host-resolver-rules=MAP *.${domain} 127.0.0.1`,
      `--ignore-certificate-errors-spki-list=${createHash("sha256").update(spki).digest("base64")}`,
    ),
  );
  const made = await makeRepository(folder, "witness", { files: { "witness.mjs": witness } });
  await git(made.path, "branch", "second", "main");
  repository = `file://${made.path}`;
  ws = await oneloop.loopJson<WorkspaceSummary>("open", repository);
  const shell = await workspaceShell(oneloop, folder);
  await startInWorkspace(shell, ws.name, {
    command: "node /workspace/witness/witness.mjs 127.0.0.1 3000",
  });
  await untilNetworksRest();
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const portHost = (): string => `3000-${ws.name}.${domain}:${nginx.port}`;

/** A request of a program through nginx, to the workspace's port unless `host` says otherwise. */
function ask(
  options: RequestOptions & { host?: string; headers?: OutgoingHttpHeaders },
): ClientRequest {
  const host = options.host ?? portHost();
  return request({
    ...{ ...options, host: "127.0.0.1", port: nginx.port, agent: false, ca },
    servername: host.replace(/:\d+$/, ""),
    headers: Object.assign({ host }, options.headers),
  });
}

async function answerOf(asked: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response;
}

describe("Oneloop behind nginx with TLS, as the documentation has it", () => {
  it("the printed link signs in over https; every cookie is Secure and of one host", async () => {
    expect(oneloop.signInLink.startsWith(`${app}/sign-in#`)).toBe(true);
    page = await browser.newPage();
    await page.goto(oneloop.signInLink);
    await page.waitForURL(`${app}/`);
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByRole("link", { name: ws.name }).first().waitFor();
    const cookies = await browser.context.cookies(app);
    expect(cookies.map(({ name }) => name)).toEqual(["__Host-oneloop-session"]);
    for (const one of cookies) {
      expect(one).toMatchObject({ secure: true, httpOnly: true, domain: `app.${domain}` });
    }
  });

  it("the list of workspaces changes as they do, without a reload", async () => {
    const second = await oneloop.loopJson<WorkspaceSummary>("open", `${repository}/tree/second`);
    await page.getByRole("link", { name: second.name }).first().waitFor();
    await oneloop.loop("delete", second.name, "--force");
    await page.getByRole("link", { name: second.name }).first().waitFor({ state: "detached" });
  });

  it("a terminal works", async () => {
    await page.getByRole("link", { name: ws.name }).first().click();
    await waitForTerminal(page, "");
    await typeLine(page, "echo through-$((40 + 2))-nginx");
    await waitForTerminal(page, "through-42-nginx");
  });

  it("a port's page opens at its own address, with its WebSocket", async () => {
    const shown = await oneloop.loopJson<WorkspaceSummary>("show", ws.name);
    const url = shown.ports.find(({ port }) => port === 3000)?.url;
    expect(url).toBe(`https://${portHost()}/`);
    const portal = await browser.newPage();
    await portal.goto(url ?? "");
    await portal.locator("#live", { hasText: "hello" }).waitFor();
    const cookies = await browser.context.cookies(`https://${portHost()}`);
    expect(cookies.map(({ name, secure }) => [name, secure])).toEqual([
      ["__Host-oneloop-port", true],
    ]);
    cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    await portal.close();
  });

  it("a program learns how the browser asked, and is told no lie about it", async () => {
    const forged = { "x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "http", forwarded: "x" };
    const response = await answerOf(
      ask({ path: "/headers", headers: { cookie, ...forged } }).end(),
    );
    expect(response.statusCode).toBe(200);
    const raw = JSON.parse(await text(response)) as string[];
    const headers = Object.fromEntries(
      raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1]]] : [])),
    );
    expect(headers).toMatchObject({
      host: portHost(),
      "x-forwarded-host": portHost(),
      "x-forwarded-proto": "https",
      "x-forwarded-for": "127.0.0.1",
    });
    expect(Object.keys(headers)).not.toContain("forwarded");
    expect(JSON.stringify(raw)).not.toMatch(/__Host-oneloop/);
  });

  it("events come when they are sent, and big heads whole", async () => {
    const asked = ask({ path: "/events", headers: { cookie } }).end();
    const events = await answerOf(asked);
    const [chunk] = (await once(events, "data")) as [Buffer];
    expect(chunk.toString()).toBe("data: first\n\n");
    asked.destroy();
    const big = await answerOf(ask({ path: "/big-head", headers: { cookie } }).end());
    expect(big.headers["x-big"]?.length).toBe(12 * 1024);
    big.resume();
  });

  it("an upload reaches the program while it is sent, however long it is", async () => {
    const asked = ask({
      ...{ path: "/upload", method: "POST" },
      headers: { cookie, origin: `https://${portHost()}`, "content-length": 10_000_000_000 },
    });
    asked.on("error", () => undefined);
    asked.write(Buffer.alloc(1024 * 1024));
    const response = await answerOf(asked);
    expect([response.statusCode, await text(response)]).toEqual([200, "begun"]);
    asked.destroy();
  });

  it("the command line goes on using the local address", async () => {
    const listed = await oneloop.loopJson<WorkspaceSummary[]>("list");
    expect(listed.map(({ url }) => url)).toEqual([`${app}/workspaces/${ws.name}`]);
  });

  it("another site's page, and a name that is not ours, are refused", async () => {
    const foreign = ask({
      ...{ host: `app.${domain}:${nginx.port}`, path: "/trpc/auth.exchange", method: "POST" },
      headers: { origin: `https://${portHost()}`, "content-type": "application/json" },
    }).end("{}");
    const refused = await answerOf(foreign);
    refused.resume();
    expect(refused.statusCode).toBe(403);
    const other = ask({ host: `other.${domain}:${nginx.port}`, path: "/trpc/config" }).end();
    const unknown = await answerOf(other);
    unknown.resume();
    expect(unknown.statusCode).toBe(403);
  });
});
