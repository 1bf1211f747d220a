import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspacePort, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { startBrowser, type TestBrowser } from "../helpers/browser.ts";
import { git } from "../helpers/git.ts";
import { Installation, root } from "../helpers/installation.ts";
import { packageFolders } from "../helpers/npm-packages.ts";
import { PortWatch } from "../helpers/port-watch.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { witness, type Witnessed } from "../helpers/witness.ts";
import { startInWorkspace, workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

const devfile = `
schemaVersion: 2.2.2
metadata: { name: ports }
components:
  - name: dev
    container:
      image: oneloop/workspace:latest
      endpoints:
        - { name: web, targetPort: 3000, exposure: public, protocol: http }
  - name: api
    container:
      image: oneloop/workspace:latest
      dedicatedPod: true
      command: [node, -e]
      args: ["require('http').createServer((_, a) => a.end('of the api')).listen(8080)"]
      endpoints:
        - { name: rest, targetPort: 8080, exposure: public, protocol: http }
`;

const modules = 200;
/** A Vite application of many modules, each of which the browser asks for by itself. */
const viteApp = {
  "vite/index.html": `<!doctype html><h1></h1><p></p><script type="module" src="/main.js"></script>`,
  "vite/text.js": `export const text = "before";\n`,
  "vite/main.js": [
    `import { text } from "./text.js";`,
    ...Array.from({ length: modules }, (_, n) => `import { one as n${n} } from "./many/${n}.js";`),
    `const show = (text) => (document.querySelector("h1").textContent = text);`,
    `document.querySelector("p").textContent = String(${Array.from({ length: modules }, (_, n) => `n${n}`).join(" + ")});`,
    `show(text);`,
    `import.meta.hot.accept("./text.js", (fresh) => show(fresh.text));`,
  ].join("\n"),
  ...Object.fromEntries(
    Array.from({ length: modules }, (_, n) => [`vite/many/${n}.js`, "export const one = 1;\n"]),
  ),
};

const lifetime = new Lifetime();
let oneloop: Installation;
let shell: Shell;
let watch: PortWatch;
let ws: WorkspaceSummary;
let second: WorkspaceSummary;
let ada: TestBrowser;
let bob: TestBrowser;
let page: Page;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-ports-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const made = await makeRepository(folder, "ports", {
    files: { "devfile.yaml": devfile, "witness.mjs": witness, ...viteApp },
  });
  await git(made.path, "branch", "second", "main");
  oneloop = lifetime.own(await Installation.start());
  ada = lifetime.own(await startBrowser());
  ws = await oneloop.loopJson<WorkspaceSummary>("open", `file://${made.path}`);
  second = await oneloop.loopJson<WorkspaceSummary>("open", `file://${made.path}/tree/second`);
  shell = await workspaceShell(oneloop, folder);
  watch = lifetime.own(await PortWatch.start(oneloop, ws.name));
  page = await signIn(ada, oneloop.signInLink);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

async function signIn(browser: TestBrowser, link: string): Promise<Page> {
  const opened = await browser.newPage();
  await opened.goto(link);
  await opened.waitForURL((url) => url.pathname === "/");
  return opened;
}

const origin = (port: number, workspace: WorkspaceSummary = ws): string =>
  `http://${port}-${workspace.name}.localhost:${oneloop.port}`;

/** @returns the program's process id in the workspace. */
const startWitness = (address: string, port: number, workspace = ws): Promise<string> =>
  startInWorkspace(shell, workspace.name, {
    command: `node /workspace/ports/witness.mjs ${address} ${port}`,
  });

/** What a browser gets at an address: the last answer, after all redirects. */
async function visit(browser: TestBrowser, url: string): Promise<{ status: number; url: string }> {
  const opened = await browser.newPage();
  try {
    const response = await opened.goto(url);
    return { status: response?.status() ?? 0, url: opened.url() };
  } finally {
    await opened.close();
  }
}

/** What somebody gets who has no cookie, as a program. */
async function asStranger(url: string): Promise<number> {
  const { host } = new URL(url);
  const asked = request({ host: "127.0.0.1", port: oneloop.port, headers: { host }, agent: false });
  const [response] = (await once(asked.end(), "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

async function witnessed(port: number, workspace = ws): Promise<Witnessed[]> {
  const url = `http://localhost:${port}/seen`;
  const { stdout, stderr, exitCode } = await shell(workspace.name, `curl -sS --noproxy '*' ${url}`);
  if (exitCode !== 0) throw new Error(`${workspace.name} ${url}: ${exitCode} ${stderr}`);
  return JSON.parse(stdout) as Witnessed[];
}

const listed = (): Promise<WorkspacePort[]> => oneloop.loopJson("ports", ws.name);

describe("a program that begins to listen", () => {
  it("has the name of the devfile's endpoint, before and while it listens", async () => {
    const named = async () => (await listed()).find(({ port }) => port === 3000);
    expect(await named()).toMatchObject({ name: "web", listening: false, service: null });
    await startWitness("127.0.0.1", 3000);
    await watch.until(3000, true);
    expect(await named()).toMatchObject({ name: "web", listening: true, process: "node" });
  });

  it("in a service that stands alone is at <port>-<service>--<workspace>", async () => {
    const rest = (await listed()).find(({ name }) => name === "rest");
    expect(rest).toMatchObject({ port: 8080, service: "api" });
    expect(rest?.url).toBe(`http://8080-api--${ws.name}.localhost:${oneloop.port}/`);
    await page.goto(rest?.url ?? "");
    expect(await page.locator("body").innerText()).toBe("of the api");
    // It is the service's port, and no other's.
    expect((await page.goto(`${origin(8080)}/`))?.status()).toBe(502);
  });

  // After the others: until then sandboxes are made ahead for the next opens, on the same cores.
  it.each([
    ["127.0.0.1", 3101],
    ["::1", 3102],
    ["0.0.0.0", 3103],
    ["$(hostname -i)", 3104],
  ])(
    "on %s is noticed within a second, reached by its address, and gone when it ends",
    async (address, port) => {
      const late: number[] = [];
      // A machine with other work is late now and then; what is slow by itself always is.
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const ms = await noticed(address, port);
        if (ms < 1000) return;
        late.push(ms);
      }
      expect(late).toEqual([]);
    },
  );

  /** @returns milliseconds until it was noticed or, if that took longer, until it was not there. */
  async function noticed(address: string, port: number): Promise<number> {
    const pid = await startWitness(address, port);
    const { at, view } = await watch.until(port, true);
    expect(view).toMatchObject({ process: "node", visibility: "private", name: null });
    expect(view.url).toBe(`${origin(port)}/`);
    await page.goto(`${origin(port)}/since`);
    const since = Number(await page.locator("body").innerText());
    await page.goto(view.url);
    await page.locator("#live", { hasText: "hello" }).waitFor();
    const { stdout } = await shell(ws.name, `kill -9 ${pid}; date +%s%3N`);
    const gone = await watch.until(port, false);
    expect((await page.goto(`${origin(port)}/`))?.status()).toBe(502);
    return Math.max(at - since, gone.at - Number(stdout));
  }
});

describe("a program with a hostile name", () => {
  it("is shown by its name as text: no markup in the page, no control in a terminal", async () => {
    // 15 bytes are what the kernel keeps of a name.
    const name = String.raw`\x1b[31m<b>x\x9b`;
    const script = `process.title = "${name}"; require("http").createServer().listen(3105);`;
    await shell(ws.name, "cat > /tmp/hostile.cjs", script);
    await startInWorkspace(shell, ws.name, { command: "node /tmp/hostile.cjs" });
    const { view } = await watch.until(3105, true);
    expect(view.process).toContain("<b>x");
    const { stdout: json } = await oneloop.loop("ports", ws.name, "--json");
    expect(json).toContain("<b>x");
    for (const stdout of [json, (await oneloop.loop("ports", ws.name)).stdout]) {
      expect(stdout).not.toMatch(/[^\n\P{Cc}]/u);
    }
    await page.goto(`${oneloop.url}/workspaces/${ws.name}?view=ports`);
    await page.getByText("<b>x").first().waitFor();
  });
});

describe("who may see a port", () => {
  beforeAll(async () => {
    bob = lifetime.own(await startBrowser());
    const { link } = await oneloop.loopJson<{ link: string }>("users", "add", "bob");
    await (await signIn(bob, link)).close();
  });

  /** Whether the owner, somebody else, and nobody known reach it. */
  const everybody = async (url: string): Promise<boolean[]> => {
    const statuses = [(await visit(ada, url)).status, (await visit(bob, url)).status];
    return [...statuses, await asStranger(url)].map((status) => {
      // Whatever the refusal is, it is one.
      expect(status === 200 || (status >= 400 && status < 500)).toBe(true);
      return status === 200;
    });
  };
  const set = async (setting: string, ...more: string[]): Promise<void> => {
    const done = await oneloop.loop("ports", ws.name, "--set", setting, ...more);
    expect(done.exitCode, done.stderr).toBe(0);
  };

  it("private is the owner, signed-in everybody who is signed in, public everybody", async () => {
    await startWitness("127.0.0.1", 3001);
    await watch.until(3001, true);
    expect(await everybody(`${origin(3001)}/`)).toEqual([true, false, false]);
    await set("3001=signed-in");
    expect(await everybody(`${origin(3001)}/`)).toEqual([true, true, false]);
    await set("3001=public");
    expect(await everybody(`${origin(3001)}/`)).toEqual([true, true, true]);
    // It is this port's alone.
    expect(await everybody(`${origin(3000)}/`)).toEqual([true, false, false]);
  });

  it("a service's port has its own, and it lasts over a stop and a new control plane", async () => {
    await set("8080=signed-in", "--service", "api");
    await set("3001=signed-in");
    for (const action of ["stop", "start"]) {
      const done = await oneloop.loop(action, ws.name);
      expect(done.exitCode, done.stderr).toBe(0);
    }
    await oneloop.stop();
    await oneloop.start();
    watch = lifetime.own(await PortWatch.start(oneloop, ws.name));
    await startWitness("127.0.0.1", 3001);
    await watch.until(3001, true);
    const shown = (await listed()).map(({ port, visibility }) => [port, visibility]);
    expect(shown).toEqual([
      ...[
        [3000, "private"],
        [8080, "signed-in"],
        [3001, "signed-in"],
      ],
    ]);
    const service = `http://8080-api--${ws.name}.localhost:${oneloop.port}/`;
    expect(await everybody(service)).toEqual([true, true, false]);
    expect(await everybody(`${origin(3001)}/`)).toEqual([true, true, false]);
    expect(await asStranger(`${origin(3000)}/`)).toBe(401);
    await set("3001=private");
    expect(await everybody(`${origin(3001)}/`)).toEqual([true, false, false]);
  });
});

describe("Vite's dev server", () => {
  it("works at its port's address: Host check, many modules, hot replacement", async () => {
    await sendPackages(["vite"], "/workspace/ports/vite");
    await startInWorkspace(shell, ws.name, {
      command: "node node_modules/vite/bin/vite.js --strictPort",
      folder: "/workspace/ports/vite",
    });
    await watch.until(5173, true);
    const portal = await ada.newPage();
    let cut = (): void => undefined;
    const failed: string[] = [];
    portal.on("requestfailed", (one) => {
      failed.push(`${one.url()}: ${one.failure()?.errorText}`);
      if (one.failure()?.errorText === "net::ERR_NETWORK_CHANGED") cut();
    });
    portal.on("response", (one) => {
      if (one.status() >= 400) failed.push(`${one.url()}: ${one.status()}`);
    });
    const sockets: string[] = [];
    portal.on("websocket", (socket) => sockets.push(socket.url()));
    const shown = async (): Promise<boolean> => {
      const changed = new Promise<boolean>((resolve) => (cut = () => resolve(false)));
      await portal.goto(`${origin(5173)}/`);
      const heading = portal.locator("h1", { hasText: "before" }).waitFor();
      return Promise.race([heading.then(() => true), changed]);
    };
    // Chromium ends its requests when an interface of this machine comes or goes: a container's.
    let up = false;
    for (let attempt = 0; attempt < 5 && !up; attempt += 1) {
      up = await shown().catch(() => false);
    }
    expect(up, failed.join("\n")).toBe(true);
    expect(await portal.locator("p").innerText()).toBe(String(modules));
    const hot = sockets.filter((one) => one.includes("token="));
    expect(new Set(hot.map((one) => new URL(one).host))).toEqual(
      new Set([new URL(origin(5173)).host]),
    );
    await portal.evaluate("window.mark = 'not reloaded'");
    await shell(ws.name, `sed -i s/before/after/ /workspace/ports/vite/text.js`);
    await portal.locator("h1", { hasText: "after" }).waitFor();
    expect(await portal.evaluate("window.mark")).toBe("not reloaded");
    await portal.close();
  });
});

/** Packs installed packages of this checkout and unpacks them in the workspace. */
async function sendPackages(names: readonly string[], to: string): Promise<void> {
  const folders = (await Promise.all(names.map((name) => packageFolders(name)))).flat();
  const tar = spawn("tar", ["-C", root, "-chf", "-", ...folders], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const unpacked = await shell(ws.name, `tar -C ${to} -xf -`, await buffer(tar.stdout));
  expect(unpacked.exitCode, unpacked.stderr).toBe(0);
}

describe("a hostile page gets nothing of the app and of other ports, and changes nothing", () => {
  let attacked: string;
  let before: unknown;
  const state = async () => [
    await oneloop.loopJson("keys", "list"),
    (await oneloop.loopJson<{ name: string }[]>("users", "list")).map(({ name }) => name),
    (await oneloop.loopJson<WorkspaceSummary[]>("list")).map(({ name }) => name).sort(),
  ];

  beforeAll(async () => {
    attacked = await readFile(join(root, "test/fixtures/hostile/attack.js"), "utf8");
    await startWitness("127.0.0.1", 3000);
    await startWitness("127.0.0.1", 3000, second);
    await watch.until(3000, true);
    // Signed in on each: what could be sent, is there to be sent.
    const visits = [origin(3000), origin(3001), origin(3000, second)].map((url) =>
      visit(ada, `${url}/`),
    );
    for (const { status, url } of await Promise.all(visits)) {
      if (status !== 200) throw new Error(`${url}: ${status}`);
    }
    before = await state();
  });

  it.each(["a port", "another workspace's port", "another program of this machine"])(
    "served from %s",
    async (place) => {
      await using local = await startPage();
      const from = {
        "a port": `${origin(3000)}/`,
        "another workspace's port": `${origin(3000, second)}/`,
      }[place];
      await page.goto(from ?? local.url);
      await page.addScriptTag({ content: attacked });
      const targets = {
        origins: [
          oneloop.url,
          `http://127.0.0.1:${oneloop.port}`,
          `http://localhost:${oneloop.port}`,
        ],
        port: origin(3001),
        workspace: ws.name,
        key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvb2JhcmZvb2JhcmZvb2JhcmZvb2JhcmZvb2Jh planted",
      };
      const got = await page.evaluate<Record<string, string>>(`attack(${JSON.stringify(targets)})`);
      expect(Object.keys(got).length).toBeGreaterThan(45);
      expect(Object.entries(got).filter(([, result]) => result !== "blocked")).toEqual([]);
      // What it opened and could not close; browsers keep six connections to a host at a time.
      for (const opened of ada.context.pages()) if (opened !== page) await opened.close();
      expect(await state()).toEqual(before);
      const reached = (await witnessed(3001)).filter(({ url }) => url.startsWith("/attack"));
      expect(reached).toEqual([]);
      // And the person is signed in as before, with no cookie that the page planted.
      await page.goto(`${oneloop.url}/`);
      await page.getByRole("link", { name: ws.name }).first().waitFor();
      const cookies = await ada.context.cookies(oneloop.url);
      expect(cookies.map(({ name }) => name)).toEqual(["__Host-oneloop-session"]);
    },
  );

  it("and no program was ever sent a cookie or a token of Oneloop's", async () => {
    const all = [
      ...(await witnessed(3000)),
      ...(await witnessed(3001)),
      ...(await witnessed(3000, second)),
    ];
    expect(all.length).toBeGreaterThan(5);
    expect(JSON.stringify(all)).not.toMatch(/oneloop[-_]/i);
  });
});

/** A page of another program of this machine, at `http://localhost:<port>`. */
async function startPage(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<!doctype html><h1>Another program</h1>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
