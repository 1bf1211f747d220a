import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Lifetime } from "../../server/util/lifetime.ts";
import { signIn, startBrowser } from "../helpers/browser.ts";
import { Installation } from "../helpers/installation.ts";
import { machineAddress } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";

// A build and a task that stop in their middle until this test lets them go on: what the page shows
// then, it shows while it happens.
const lifetime = new Lifetime();
let oneloop: Installation;
let page: Page;
let folder: string;
let place: string;
/** The requests in which something waits, by their path. */
const waiting = new EventEmitter();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-live-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const gate = createServer((request, response) => {
    waiting.emit(request.url ?? "", response);
  }).listen(0, machineAddress());
  await once(gate, "listening");
  lifetime.defer(() => void gate.close());
  place = `${machineAddress()}:${(gate.address() as AddressInfo).port}`;
  oneloop = lifetime.own(await Installation.start({ env: { ONELOOP_ALLOW_NET: place } }));
  const browser = lifetime.own(await startBrowser());
  page = await browser.newPage();
  await signIn(page, oneloop.signInLink);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** The answer that something in a workspace waits for. */
async function waited(path: string): Promise<ServerResponse> {
  const [response] = (await once(waiting, path)) as [ServerResponse];
  return response;
}

/** Has the page show a workspace that is being opened from a repository with these files. */
async function open(name: string, files: Record<string, string>): Promise<void> {
  const { path } = await makeRepository(folder, name, { files });
  await page.goto(`${oneloop.url}/new#file://${path}`);
  await page.getByRole("button", { name: "Open", exact: true }).click();
}

it("an opening workspace's page shows its phases, their times, and a build's lines as they come", async () => {
  const built = waited("/build");
  await open("live", {
    "devfile.yaml": `schemaVersion: 2.2.2
metadata: { name: live }
components:
  - name: dev
    container: { image: acme/live:1 }
  - name: image
    image: { imageName: acme/live:1, dockerfile: { uri: Dockerfile, buildContext: . } }
`,
    Dockerfile: `FROM oneloop/workspace:latest
RUN echo "the first half"; curl -sS http://${place}/build; echo "the second half"
`,
  });
  const images = page.locator('[data-phase="images"]');
  const response = await built;
  const output = images.locator("pre");
  // The instruction says both halves; what it prints is a line of its own.
  await output.filter({ hasText: /^the first half$/m }).waitFor();
  expect(await images.getAttribute("data-phase-state")).toBe("active");
  expect(await output.textContent()).not.toMatch(/^the second half$/m);
  // What is made beside it is done, and says when; the services wait for the image.
  const network = page.locator('[data-phase="network"][data-phase-state="done"]');
  expect(await network.locator("time").textContent()).toMatch(/^\+\d+\.\d s$/);
  expect(await page.locator('[data-phase="services"]').getAttribute("data-phase-state")).toBe(
    "waiting",
  );
  const began = page.getByRole("region", { name: "Start" }).locator("[aria-hidden=true].font-mono");
  const shown = await began.textContent();
  await expect.poll(() => began.textContent()).not.toBe(shown);
  response.end("\n");
  await page.locator('[role="tabpanel"]:not([hidden])[data-connection="open"]').waitFor();
});

it("a running workspace's page shows the tab of a task when it begins", async () => {
  const task = (name: string): string => `  - id: ${name}
    exec: { component: dev, commandLine: "curl -sS http://${place}/${name}" }
`;
  const [first, second] = [waited("/prepare"), waited("/watch")];
  await open("tasks", {
    "devfile.yaml": `schemaVersion: 2.2.2
metadata: { name: tasks }
components:
  - name: dev
    container: { image: "oneloop/workspace:latest" }
commands:
${task("prepare")}${task("watch")}events: { postStart: [prepare, watch] }
`,
  });
  const response = await first;
  await page.getByRole("tab", { name: "prepare" }).waitFor();
  expect(await page.getByRole("tab", { name: "watch" }).count()).toBe(0);
  // It ends well: nothing but its end and the other's beginning is there to be told.
  response.end("\n");
  await page.getByRole("tab", { name: "watch" }).waitFor();
  (await second).end("\n");
});
