import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { text } from "node:stream/consumers";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SessionView, WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { startBrowser, typeLine, waitForTerminal, type TestBrowser } from "../helpers/browser.ts";
import { git } from "../helpers/git.ts";
import { Installation, run } from "../helpers/installation.ts";
import { stopwatch } from "../helpers/stopwatch.ts";

/** From the answer to a revocation to what the page says. */
const mostMs = 1000;
const port = 8000;

let folder: string;
let oneloop: Installation;
let owners: TestBrowser;
let graces: TestBrowser;
let ownersPage: Page;
let gracesPage: Page;
let ws: WorkspaceDetail;
let program: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-people-"));
  const repository = join(folder, "shop");
  await run("mkdir", [repository]);
  await git(repository, "init", "--quiet", "--initial-branch=main");
  await writeFile(join(repository, "index.html"), "<h1>Wares of the shop</h1>");
  await git(repository, "add", ".");
  await git(repository, "commit", "--quiet", "--message=Open");
  oneloop = await Installation.start();
  [owners, graces] = [await startBrowser(), await startBrowser()];
  ws = await oneloop.loopJson<WorkspaceDetail>("open", pathToFileURL(repository).href);
  program = await startProgram();
});

afterAll(async () => {
  program?.kill("SIGKILL");
  await owners?.[Symbol.asyncDispose]();
  await graces?.[Symbol.asyncDispose]();
  await oneloop?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A web server in the workspace, as somebody runs one there. */
async function startProgram(): Promise<ChildProcess> {
  const key = join(folder, "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const added = await oneloop.loop("keys", "add", `${key}.pub`);
  expect(added.exitCode, added.stderr).toBe(0);
  const child = spawn("ssh", [
    ...["-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-p", String(oneloop.sshPort)],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", `${ws.name}@localhost`],
    `cd /workspace/shop && exec python3 -u -m http.server ${port}`,
  ]);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(said.toString()).toContain("Serving HTTP");
  return child;
}

function portUrl(): string {
  return `http://${port}-${ws.name}.localhost:${oneloop.port}/`;
}

async function setVisibility(who: string): Promise<void> {
  const set = await oneloop.loop("ports", ws.name, "--set", `${port}=${who}`);
  expect(set.exitCode, set.stderr).toBe(0);
}

/** The port, by somebody who has no browser and no cookie. */
async function asStranger(): Promise<{ status: number | undefined; body: string }> {
  const { host } = new URL(portUrl());
  const asked = request({ host: "127.0.0.1", port: oneloop.port, headers: { host } });
  const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
  return { status: answer.statusCode, body: await text(answer) };
}

describe("a second person", () => {
  it("signs in by the link of `loop users add`, once, and finds an empty list", async () => {
    const { link } = await oneloop.loopJson<{ link: string }>("users", "add", "grace");
    gracesPage = await graces.newPage();
    await gracesPage.goto(link);
    await gracesPage.getByRole("heading", { name: "Open a workspace" }).waitFor();
    expect(await gracesPage.content()).not.toContain(ws.name);
    await gracesPage.goto(`${oneloop.url}/workspaces/${ws.name}`);
    await gracesPage.getByText(`You have no workspace ${ws.name}`).first().waitFor();

    ownersPage = await owners.newPage();
    await ownersPage.goto(link);
    await ownersPage.getByText(/used already|expired/).waitFor();
  });

  it("sees a port of another's when it is for everybody who is signed in, and only then", async () => {
    const wares = gracesPage.getByRole("heading", { name: "Wares of the shop" });
    const refused = gracesPage.getByText(/no port of a workspace of yours|nothing here for you/);
    await gracesPage.goto(portUrl());
    await refused.waitFor();
    expect((await asStranger()).status).toBe(401);

    await setVisibility("signed-in");
    await gracesPage.goto(portUrl());
    await wares.waitFor();
    expect((await asStranger()).status).toBe(401);

    await setVisibility("public");
    expect(await asStranger()).toMatchObject({ status: 200, body: /Wares/ });

    await setVisibility("private");
    await gracesPage.goto(portUrl());
    await refused.waitFor();
    expect((await asStranger()).status).toBe(401);
  });
});

describe("the owner's session", () => {
  it("is revoked from the command line: an open terminal's page says so within a second", async () => {
    await ownersPage.goto(oneloop.signInLink);
    // Asked at the first sign-in: who commits.
    await ownersPage.getByRole("button", { name: "Not now" }).click();
    await ownersPage.getByRole("link", { name: ws.name }).first().click();
    await waitForTerminal(ownersPage, "$");
    await typeLine(ownersPage, "echo mark-$((40 + 2))");
    await waitForTerminal(ownersPage, "mark-42");

    const sessions = await oneloop.loopJson<SessionView[]>("sessions", "list");
    const browsers = sessions.filter(({ kind }) => kind === "session");
    expect(browsers).toHaveLength(1);
    const clock = stopwatch();
    const ended = ownersPage
      .getByText(/session has ended|signed out/i)
      .first()
      .waitFor()
      .then(clock);
    const revoked = await oneloop.loop("sessions", "revoke", browsers[0]?.id ?? "");
    const from = clock();
    expect(revoked.exitCode, revoked.stderr).toBe(0);
    expect((await ended) - from).toBeLessThan(mostMs);
    expect(await ownersPage.locator(".xterm").count()).toBe(0);
  });

  it("is the only thing that ended: the command line's token and the workspace go on", async () => {
    expect(program.exitCode).toBeNull();
    const shown = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    expect(shown.state).toBe("running");
  });
});
