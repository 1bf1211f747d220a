import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  ServiceSetting,
  WorkspaceDetail,
  WorkspaceServiceView,
} from "../../server/protocol/workspace.ts";
import { startBrowser, type TestBrowser } from "../helpers/browser.ts";
import { DevShell } from "../helpers/dev-shell.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { buildGovappImages, createGovappRepository } from "../helpers/govapp.ts";
import { Installation } from "../helpers/installation.ts";

// GovApp with production's back end, built from the repository and with a root that is read-only.
let folder: string;
let oneloop: Installation;
let browser: TestBrowser;
let page: Page;
let ws: WorkspaceDetail;
let shell: DevShell;

/** Nothing is fetched in this build: its base has the programs. */
const dockerfile = `FROM govapp/back-end:dev
WORKDIR /app
COPY package.json ./
RUN test -f package.json
COPY --chown=1000 *.js ./
COPY --chown=1000 lib ./lib
CMD ["node", "server.js"]
`;

const imageComponent = `
  - name: back-end-image
    image:
      imageName: govapp/back-end:1.4.0
      dockerfile: { uri: back-end/Dockerfile, buildContext: back-end }
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-sync-"));
  const { path, url } = await createGovappRepository(folder);
  await Promise.all([change(path), buildGovappImages(docker)]);
  oneloop = await Installation.start({
    env: { ONELOOP_IMAGE_MAP: "govapp/database:1.4.0=govapp/database:dev" },
  });
  ws = await oneloop.loopJson<WorkspaceDetail>("open", url, "--mirror", "k8s");
  shell = await DevShell.open(docker.getContainer(await containerOf("front-end")));
  await oneloop.loop("ports", ws.name, "--set", "3000=public");
  await untilServed("/", "Apply for a passport");
  browser = await startBrowser();
  page = await browser.newPage();
});

afterAll(async () => {
  shell?.[Symbol.dispose]();
  await browser?.[Symbol.asyncDispose]();
  await oneloop?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Commits what makes the back end one that is built here. */
async function change(repository: string): Promise<void> {
  const work = join(folder, "work");
  await git(folder, "clone", "--quiet", repository, work);
  await writeFile(join(work, "back-end/Dockerfile"), dockerfile);
  await git(work, "config", "core.bare", "false");
  await rewrite(work, "devfile.yaml", (text) => text + imageComponent);
  await rewrite(work, "k8s/back-end.yaml", (text) =>
    text.replace("runAsUser: 1000", "runAsUser: 1000\n            readOnlyRootFilesystem: true"),
  );
  await mkdir(join(work, "back-end/lib"));
  await writeFile(join(work, "back-end/lib/words.js"), 'export const words = "words";\n');
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--message", "The back end is built here");
  await git(work, "push", "--quiet", "origin", "main");
}

async function rewrite(work: string, path: string, edit: (text: string) => string): Promise<void> {
  const before = await readFile(join(work, path), "utf8");
  const after = edit(before);
  if (after === before) throw new Error(`${path} has nothing to change`);
  await writeFile(join(work, path), after);
}

async function containerOf(service: string): Promise<string> {
  const filters = { label: [`oneloop.workspace=${ws.id}`, `oneloop.service=${service}`] };
  const [found] = await docker.listContainers({ all: true, filters });
  if (found === undefined) throw new Error(`no container runs ${service}`);
  return found.Id;
}

/** The front end's page, through its port. */
function get(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: `3000-${ws.name}.localhost:${oneloop.port}` };
    const asked = request({ host: "127.0.0.1", port: oneloop.port, path, headers, agent: false });
    asked.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve(body));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Asks again as soon as there was another answer; gives how long it took, in milliseconds. */
async function untilServed(path: string, text: string, limitMs = 90_000): Promise<number> {
  const began = performance.now();
  let last = "";
  while (performance.now() - began < limitMs) {
    last = await get(path).catch(String);
    if (last.includes(text)) return performance.now() - began;
  }
  const { stdout } = await oneloop.loop("services", ws.name);
  const shown = await oneloop.loop("show", ws.name);
  throw new Error(`${text} is not in\n${last}\n${stdout}\n${shown.stdout}\n${oneloop.log()}`);
}

/** Resolves when the front end's program ends: an open connection of Chromium's ends with it. */
async function listenForEnd(): Promise<{ ended: Promise<void> }> {
  const opened = await page.evaluateHandle(
    () =>
      new Promise<{ closed: Promise<unknown> }>((resolve) => {
        const socket = new WebSocket("/live");
        const closed = new Promise((close) => (socket.onclose = close));
        socket.onopen = () => resolve({ closed });
      }),
  );
  return { ended: opened.evaluate(({ closed }) => closed).then(() => undefined) };
}

async function listenFor(service: string, event: string): Promise<Promise<unknown>[]> {
  const filters = { container: [await containerOf(service)], event: [event] };
  const events = await docker.getEvents({ filters });
  // In a list: a promise of a promise would be waited for here.
  return [once(events, "data").finally(() => (events as Readable).destroy())];
}

/** Resolves at the next start of a service's container. */
async function listenForStart(service: string): Promise<{ started: Promise<unknown> | undefined }> {
  const [started] = await listenFor(service, "start");
  return { started };
}

/** Resolves when a service's container gives way to another. */
async function listenForRemoval(
  service: string,
): Promise<{ removed: Promise<unknown> | undefined }> {
  const [removed] = await listenFor(service, "destroy");
  return { removed };
}

/**
 * Has the page in Chromium ask until it gets the text, as somebody does who reloads, and loads it.
 */
async function untilSeen(text: string): Promise<void> {
  await page.evaluate(
    async ({ wanted, limitMs }) => {
      const until = performance.now() + limitMs;
      while (performance.now() < until) {
        const response = await fetch("/").catch(() => null);
        if ((await response?.text())?.includes(wanted) === true) return;
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
      }
    },
    { wanted: text, limitMs: 20_000 },
  );
  await page.reload({ waitUntil: "domcontentloaded" });
  const content = await page.content();
  if (content.includes(text)) return;
  const { stdout } = await oneloop.loop("show", ws.name);
  throw new Error(`the page never showed ${text}: ${content}\n${stdout}\n${oneloop.log()}`);
}

const source = "/workspace/govapp";

/** What a program of the back end's container prints. */
async function inside(...command: string[]): Promise<string> {
  const container = docker.getContainer(await containerOf("back-end"));
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: false });
  let text = "";
  for await (const piece of stream) text += (piece as Buffer).subarray(8).toString();
  return text;
}

async function backEnd(): Promise<WorkspaceServiceView | undefined> {
  const { services } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
  return services.find(({ name }) => name === "back-end");
}

describe("what is saved in a workspace that mirrors production", () => {
  it("is seen in Chromium where the developed service has it, with nothing done by hand", async () => {
    await page.goto(`http://3000-${ws.name}.localhost:${oneloop.port}/`);
    expect(await page.content()).toContain("<h1>Services</h1>");
    const { ended } = await listenForEnd();
    // In place, as some editors do: Node loses sight of a file that another one is renamed over.
    const edit = `s/page("Services[^"]*"/page("Services now"/`;
    const file = `${source}/front-end/pages.js`;
    await shell.run(`sed '${edit}' ${file} > /tmp/pages.js && cat /tmp/pages.js > ${file}`);
    await ended;
    await untilSeen("<h1>Services now</h1>");
  });

  it("comes to a service that is built from it without a build, and its root stays read-only", async () => {
    const before = await containerOf("back-end");
    const file = `${source}/back-end/server.js`;
    const { started } = await listenForStart("back-end");
    await shell.run(
      `sed -i 's/SELECT id, name, minutes/SELECT id, upper(name) AS name, minutes/' ${file}`,
    );
    await started;
    await untilSeen("APPLY FOR A PASSPORT");
    expect(await containerOf("back-end")).toBe(before);
    expect(await inside("touch", "/app/x", "/y")).toMatch(/app.x.*Read-only[^]*y.*Read-only/);
    expect(await inside("stat", "-c", "%u:%g %a", "/app/server.js")).toContain("1000:1000 644");
    expect(await backEnd()).toMatchObject({
      restarts: 0,
      reason: "server.js changed: its command was started again.",
    });
  });

  it("comes there in new folders, and is removed there", async () => {
    const lib = `${source}/back-end/lib`;
    const { started } = await listenForStart("back-end");
    await shell.run(`mkdir -p ${lib}/new/er && echo new > ${lib}/new/er/a.js`);
    await started;
    expect(await inside("cat", "/app/lib/new/er/a.js")).toBe("new\n");
    const again = await listenForStart("back-end");
    await shell.run(`rm -r ${lib}/new`);
    await again.started;
    // What is removed one by one may be seen in two halves, each with a start of its own.
    const left = (): Promise<string> => inside("ls", "/app/lib").catch(String);
    await expect.poll(left, { timeout: 30_000 }).toBe("words.js\n");
  });

  it("has the image of that service alone built anew where a program of the build used it", async () => {
    const before = await containerOf("back-end");
    const database = await containerOf("database");
    const { removed } = await listenForRemoval("back-end");
    await shell.run(`echo '{ "type": "module" }' > ${source}/back-end/package.json`);
    await removed;
    await untilServed("/", "APPLY FOR A PASSPORT");
    expect(await containerOf("back-end")).not.toBe(before);
    expect(await containerOf("database")).toBe(database);
    expect(await inside("cat", "/app/package.json")).toBe('{ "type": "module" }\n');
    const { events } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    expect(events.find(({ code }) => code === "service-rebuilt")?.message).toMatch(
      /^back-end: package.json changed, and Dockerfile:3 takes it/,
    );
  });

  it("is listed with the lines that say what it does", async () => {
    const { settings } = await oneloop.loopJson<{ settings: ServiceSetting[] }>(
      ...["services", ws.name, "back-end"],
    );
    expect(settings.filter(({ name }) => name.startsWith("saved "))).toEqual([
      {
        name: "saved back-end/package.json",
        value: "its image is built anew",
        where: ["back-end/Dockerfile:3"],
      },
      {
        name: "saved back-end/*.js",
        value: "put into /app; its command is started again",
        where: ["back-end/Dockerfile:5"],
      },
      {
        name: "saved back-end/lib",
        value: "put into /app/lib; its command is started again",
        where: ["back-end/Dockerfile:6"],
      },
    ]);
  });
});
