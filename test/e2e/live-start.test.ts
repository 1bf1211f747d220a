import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Lifetime } from "../../server/util/lifetime.ts";
import { signIn, startBrowser, type TestBrowser } from "../helpers/browser.ts";
import { Installation } from "../helpers/installation.ts";
import { machineAddress } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";

// A build that stops in its middle until this test lets it go on: what the page shows then, it shows
// while it happens.
const lifetime = new Lifetime();
let oneloop: Installation;
let browser: TestBrowser;
let url: string;
/** The request in which the build waits. */
let waiting: Promise<ServerResponse>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-live-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const gate = createServer().listen(0, machineAddress());
  await once(gate, "listening");
  lifetime.defer(() => void gate.close());
  waiting = once(gate, "request").then(([, response]) => response as ServerResponse);
  const place = `${machineAddress()}:${(gate.address() as AddressInfo).port}`;
  const { path } = await makeRepository(folder, "live", {
    files: {
      "devfile.yaml": `schemaVersion: 2.2.2
metadata: { name: live }
components:
  - name: dev
    container: { image: acme/live:1 }
  - name: image
    image: { imageName: acme/live:1, dockerfile: { uri: Dockerfile, buildContext: . } }
`,
      Dockerfile: `FROM oneloop/workspace:latest
RUN echo "the first half"; curl -sS http://${place}/gate; echo "the second half"
`,
    },
  });
  url = `file://${path}`;
  oneloop = lifetime.own(await Installation.start({ env: { ONELOOP_ALLOW_NET: place } }));
  browser = lifetime.own(await startBrowser());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("an opening workspace's page shows its phases, their times, and a build's lines as they come", async () => {
  const page = await browser.newPage();
  await signIn(page, oneloop.signInLink);
  await page.goto(`${oneloop.url}/new#${url}`);
  await page.getByRole("button", { name: "Open", exact: true }).click();
  const images = page.locator('[data-phase="images"]');
  const response = await waiting;
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
  await page.close();
});
