import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriftReport } from "../../server/protocol/drift.ts";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { axeProblems, painted, signIn, startBrowser } from "../helpers/browser.ts";
import {
  hasDockerCompose,
  startComposeProject,
  type ComposeProject,
} from "../helpers/compose-project.ts";
import { Installation } from "../helpers/installation.ts";
import { startReadOnlyProxy, type ReadOnlyProxy } from "../helpers/read-only-proxy.ts";
import { makeRepository } from "../helpers/repositories.ts";

// A workspace that mirrors a compose file, and containers that docker-compose made of another one.
const lifetime = new Lifetime();
let folder: string;
let oneloop: Installation;
let production: ComposeProject;
let blog: ComposeProject;
let engine: ReadOnlyProxy;
let page: Page;
let shop: WorkspaceSummary;
let alone: WorkspaceSummary;

const socketPath = (process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock").slice(7);
const image = "oneloop/workspace:latest";
const canary = "canary-of-a-file";

const devfile = `schemaVersion: 2.2.2
metadata:
  name: shop
attributes:
  mirror: compose.yaml
components:
  # <img src=x id=evil>
  - name: front-end
    container:
      image: ${image}
      memoryLimit: 1Gi
`;
const compose = `version: "2.4"
services:
  front-end:
    image: ${image}
    command: ["sleep", "1000000"]
    mem_limit: 64m
    environment:
      API_TOKEN: ${canary}
      DB_HOST: db
  db:
    image: ${image}
    command: ["sleep", "1000000"]
    mem_limit: 128m
`;
/** Only the repository has it, with the variable that leads to it. */
const queue = `    environment:
      QUEUE: amqp://queue:5672
  queue:
    image: ${image}
    command: ["sleep", "1000000"]
`;
const lock = `acknowledged:
  - finding: read-only-root:front-end
    reason: a shell needs it
    owner: ada@example.org
    expires: 2999-12-31
`;
/** What really runs has another limit, and a read-only root. */
const running = compose
  .replace("mem_limit: 128m", "mem_limit: 96m")
  .replace("mem_limit: 64m", "mem_limit: 64m\n    read_only: true")
  .replaceAll(canary, "canary-of-production");

beforeAll(async () => {
  if (!hasDockerCompose) return;
  folder = await mkdtemp(join(tmpdir(), "oneloop-drift-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  production = lifetime.own(await startComposeProject({ "compose.yaml": running }));
  blog = lifetime.own(
    await startComposeProject({
      "compose.yaml": `version: "2.4"\nservices: { api: { image: "${image}", command: [sleep, "1000000"] } }\n`,
    }),
  );
  engine = lifetime.own(await startReadOnlyProxy(socketPath));
  oneloop = lifetime.own(await Installation.start());
  const files = {
    "devfile.yaml": devfile,
    "compose.yaml": compose + queue,
    ".oneloop/drift.lock": lock,
  };
  const repository = await makeRepository(folder, "shop", { files });
  shop = await oneloop.loopJson<WorkspaceSummary>("open", `file://${repository.path}`);
  const other = await makeRepository(folder, "alone", { files: { "devfile.yaml": devfile } });
  // Its repository's devfile names a mirror that is not there, and another memory limit.
  const given = join(folder, "given.yaml");
  await writeFile(
    given,
    devfile.replace(/^attributes.*\n.*\n/m, "").replace("memoryLimit: 1Gi", "memoryLimit: 2Gi"),
  );
  alone = await oneloop.loopJson<WorkspaceSummary>(
    ...["open", `file://${other.path}`, "--devfile", given],
  );
  const browser = lifetime.own(await startBrowser());
  page = await browser.newPage();
  await signIn(page, oneloop.signInLink);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

async function driftOf(...args: string[]): Promise<DriftReport> {
  const { exitCode, stdout, stderr } = await oneloop.loop("drift", ...args, "--json");
  expect(exitCode, stderr).toBe(1);
  expect(stdout).not.toContain("canary");
  return JSON.parse(stdout) as DriftReport;
}

const breaking = ({ findings }: DriftReport): string[] =>
  findings.filter((one) => one.class === "breaking").map(({ id }) => id);

describe.runIf(hasDockerCompose)("loop environments", () => {
  it("registers an engine, lists it, and says what it has", async () => {
    const added = await oneloop.loop(
      ...["environments", "add", "production", engine.url, "--project", production.name],
    );
    expect(added.stderr).toBe("");
    expect(added.stdout).toMatch(/^Added production: \d+ containers run there; Compose projects: /);
    const listed = await oneloop.loop("environments", "list");
    expect(listed.stdout).toMatch(/^NAME +DOCKER HOST +PROJECT +CERTIFICATES$/m);
    expect(listed.stdout).toContain(engine.url);
    const none = await oneloop.loop("environments", "add", "x", "ssh://host");
    expect([none.exitCode, none.stderr]).toEqual([2, expect.stringContaining("tcp://host:port")]);
  });
});

describe.runIf(hasDockerCompose)("loop drift", () => {
  it("compares a workspace with what really runs", async () => {
    const report = await driftOf(shop.name, "--environment", "production");
    expect(breaking(report)).toEqual([
      "memory-limit:db",
      "memory-limit:front-end",
      "read-only-root:front-end",
      "missing-service:queue",
    ]);
    expect(report.b).toContain(`project ${production.name}`);
    const limit = report.findings.find(({ id }) => id === "memory-limit:db");
    expect(limit?.a.where).toMatchObject({ file: "compose.yaml", line: 13 });
    expect(limit?.b.where).toMatchObject({ engine: "production" });
  });

  it("compares a file with what really runs, which stays on this machine", async () => {
    const file = join(folder, "here.yaml");
    await writeFile(file, compose);
    const report = await driftOf(file, "--environment", "production");
    expect(breaking(report)).toEqual(["memory-limit:db", "read-only-root:front-end"]);
    const both = await oneloop.loop("drift", file, file, "--environment", "production");
    expect([both.exitCode, both.stderr]).toEqual([2, expect.stringContaining("Name two files")]);
    const gone = await oneloop.loop("drift", file, "--environment", "staging");
    expect([gone.exitCode, gone.stderr]).toEqual([2, expect.stringContaining('"staging"')]);
  });

  it("compares the devfile that a workspace was opened with, not its repository's", async () => {
    const report = await driftOf(alone.name, "--environment", "production");
    const limit = report.findings.find(({ id }) => id === "memory-limit:front-end");
    expect(limit?.a).toMatchObject({ value: "2Gi", where: { file: "devfile.yaml" } });
  });

  it("sent the engine nothing but GET", () => {
    expect(engine.asked.filter((each) => !each.startsWith("GET "))).toEqual([]);
    expect(engine.asked.length).toBeGreaterThan(10);
  });
});

describe.runIf(hasDockerCompose)("the drift of a workspace's page", () => {
  const at = (name: string, search = ""): string =>
    `${oneloop.url}/workspaces/${name}?view=drift${search}`;
  const panel = () => page.getByRole("region", { name: "Drift" });
  const headline = () => panel().locator("[data-headline]");
  const source = (name: "A" | "B") => page.getByRole("region", { name: `Source ${name}` });

  it("begins with the number of breaking differences, and what is equal of how much", async () => {
    await page.goto(at(shop.name));
    await headline().waitFor();
    expect(await headline().innerText()).toBe("1");
    expect(await panel().innerText()).toMatch(/\d+ of \d+ comparable facts are equal/);
    await panel().getByRole("list", { name: "Breaking" }).getByRole("listitem").waitFor();
  });

  it("opens both sources at the line by the keyboard, with no secret and no markup in them", async () => {
    await panel().locator('[data-finding="memory-limit:front-end"]').press("Enter");
    const marked = (name: "A" | "B") => source(name).locator('[aria-current="true"]');
    await marked("A").waitFor();
    expect(await marked("A").innerText()).toContain("memoryLimit: 1Gi");
    expect(await marked("B").innerText()).toContain("mem_limit: 64m");
    expect(await marked("B").getAttribute("data-line")).toBe("6");
    expect(await source("A").innerText()).toContain("devfile.yaml:11:");
    expect(await source("A").innerText()).toContain("<img src=x id=evil>");
    expect(await page.locator("#evil").count()).toBe(0);
    expect(await source("B").innerText()).toContain("API_TOKEN: (not shown)");
    expect(await page.content()).not.toContain(canary);
    const box = await marked("B").boundingBox();
    expect(box?.y).toBeGreaterThan(0);
    const lockText = await page.getByLabel("For .oneloop/drift.lock").innerText();
    expect(lockText).toContain('  - finding: "memory-limit:front-end"');
    await page.getByRole("link", { name: "Close the sources" }).press("Enter");
    await source("A").waitFor({ state: "detached" });
    expect(page.url()).not.toContain("finding=");
  });

  it("has what somebody accepted apart, by whom and until when", async () => {
    await page.goto(at(shop.name, "&environment=production"));
    await headline().waitFor();
    expect(await headline().innerText()).toBe("3");
    await panel().locator("summary", { hasText: "Acknowledged" }).press("Enter");
    await panel().getByText("Accepted until 2999-12-31 by ada@example.org").waitFor();
  });

  it("is compared with an environment that is chosen, whose containers are named", async () => {
    await page.goto(at(shop.name));
    await headline().waitFor();
    await page.getByLabel("Compared with").selectOption("production");
    await panel().locator('[data-finding="missing-service:queue"]').waitFor();
    expect(page.url()).toContain("environment=production");
    await panel().locator('[data-finding="memory-limit:db"]').press("Enter");
    await source("B").getByText("HostConfig.Memory", { exact: true }).waitFor();
    expect(await source("B").innerText()).toContain(`${production.name}_db_1`);
    expect(await page.content()).not.toContain("canary");
  });

  it("opens the other places where a cause shows", async () => {
    await panel().locator('[data-finding="missing-service:queue"]').press("Enter");
    await source("B").getByText("Nothing of this side stands for it.").waitFor();
    const places = page.getByLabel("Where it shows");
    await places.selectOption({ label: "db: The variable QUEUE is set on one side only." });
    const marked = source("A").locator('[aria-current="true"]');
    await expect.poll(() => marked.innerText()).toContain("QUEUE: amqp://queue:5672");
    await source("B").getByText(`${production.name}_db_1`, { exact: true }).waitFor();
  });

  it("asks for the project where the environment has several", async () => {
    const added = await oneloop.loop("environments", "add", "both", engine.url);
    expect(added.stdout).toContain("Whoever compares says which one is meant");
    await page.goto(at(shop.name, "&environment=both"));
    await panel().getByText("Say which one").waitFor();
    await panel().getByLabel("Compose project").fill(blog.name);
    await panel().getByLabel("Compose project").press("Enter");
    await panel().locator('[data-finding="missing-service:api"]').waitFor();
    const removed = await oneloop.loop("environments", "remove", "both");
    expect(removed.exitCode, removed.stderr).toBe(0);
  });

  it("says what there could be where there is nothing to compare with", async () => {
    await page.goto(at(alone.name));
    await panel().getByText("There is nothing to compare it with.").waitFor();
    await panel().getByText("--mirror k8s/").waitFor();
  });

  it.each([1280, 390])("is accessible at a width of %i, in both themes", async (width) => {
    await page.setViewportSize({ width, height: width > 1000 ? 800 : 844 });
    const places: readonly [string, string, () => Promise<void>][] = [
      [shop.name, "", () => headline().waitFor()],
      [
        ...([shop.name, `&finding=${encodeURIComponent("memory-limit:front-end")}`] as const),
        () => source("B").locator("[data-line]").first().waitFor(),
      ],
      [alone.name, "", () => panel().getByText("nothing to compare").waitFor()],
    ];
    for (const [name, search, ready] of places) {
      await page.goto(at(name, search));
      await ready();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await painted(page);
        expect(await axeProblems(page), `${page.url()} ${colorScheme}`).toEqual([]);
      }
      // Nothing is wider than the screen.
      const overflow = await page.evaluate<number>(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect(overflow).toBe(0);
    }
  });
});

describe.runIf(hasDockerCompose)("the owner's page", () => {
  const card = () => page.getByRole("list", { name: "Environments" });

  it("registers an environment, says why one cannot be, and forgets it", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${oneloop.url}/people`);
    await card().getByText("production", { exact: true }).waitFor();
    const form = page.getByRole("form", { name: "Add an environment" });
    await form.getByLabel("Environment", { exact: true }).fill("staging");
    await form.getByLabel("Docker host").fill("unix:///nowhere.sock");
    await form.getByRole("button", { name: "Add it" }).click();
    await form.getByText("The engine cannot be reached.").waitFor();
    await form.getByLabel("Docker host").fill(engine.url);
    await form.getByLabel("Docker host").press("Enter");
    await card().getByText("staging", { exact: true }).waitFor();
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await painted(page);
        expect(await axeProblems(page), `${width} ${colorScheme}`).toEqual([]);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole("button", { name: "Remove staging" }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).press("Enter");
    await card().getByText("staging", { exact: true }).waitFor({ state: "detached" });
  });
});

describe.runIf(hasDockerCompose)("the end of an environment", () => {
  it("is its owner's word; the engine is left as it was", async () => {
    const removed = await oneloop.loop("environments", "remove", "production");
    expect(removed.stdout).toBe("Removed production.\n");
    const listed = await oneloop.loop("environments", "list");
    expect(listed.stdout).toContain("No environments yet.");
    const asked = await oneloop.loop("drift", shop.name, "--environment", "production");
    expect(asked.exitCode).toBe(2);
    expect(engine.asked.filter((each) => !each.startsWith("GET "))).toEqual([]);
  });
});
