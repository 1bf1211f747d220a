import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import {
  startBrowser,
  startBrowserWithWebGl,
  terminalText,
  typeLine,
  waitForTerminal,
} from "../helpers/browser.ts";
import { Installation, root, run } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";

/** For printf: a title, colours, a cleared screen, C1, right to left, a bell, a forged line of a log. */
const steering = [
  String.raw`\033]0;PWNED\007`,
  String.raw`\033[31mred\033[0m\033[2J`,
  String.raw`\302\2332Jc1`,
  String.raw`\342\200\256txt.exe`,
  String.raw`\007\010`,
  String.raw`\r{"level":60,"msg":"forged"}`,
].join(" ");
const markup = `<script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">`;
/** Of a shell. */
const hostile = `printf '%b\\n' '${steering}' '${markup}'`;

const devfile = (name: string): string => `
schemaVersion: 2.2.2
metadata: { name: ${name} }
components:
  - name: dev
    container: { image: acme/${name}:1 }
  - name: dev-image
    image: { imageName: "acme/${name}:1", dockerfile: { uri: Dockerfile } }
commands:
  - id: prints
    exec: { component: dev, commandLine: "sh hostile.sh; exit 3" }
events: { postStart: [prints] }
`;
const dockerfile = (last: string): string => `FROM oneloop/workspace:latest
COPY hostile.sh /
RUN sh /hostile.sh${last}
`;

/** What steers a terminal, and what makes a text read as another one. */
const harmful = /[^\P{Cc}\n\t]|[\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;

const lifetime = new Lifetime();
let oneloop: Installation;
let folder: string;
let page: Page;
const urls = { noisy: "", broken: "" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-hostile-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["noisy", "broken"] as const) {
    const files = {
      "devfile.yaml": devfile(name),
      Dockerfile: dockerfile(name === "broken" ? " && exit 7" : ""),
      "hostile.sh": `${hostile}\n`,
    };
    urls[name] = `file://${(await makeRepository(folder, name, { files })).path}`;
  }
  oneloop = lifetime.own(await Installation.start());
  // Else a command at a terminal asks for it.
  await oneloop.loopJson("profile", "--name", "Ada", "--email", "ada@example.org");
  const browser = lifetime.own(await startBrowser());
  page = await browser.newPage();
  page.on("dialog", (dialog) => void dialog.dismiss());
  await page.goto(oneloop.signInLink);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

async function pwned(): Promise<boolean> {
  return page.evaluate<boolean>("window.pwned !== undefined || document.title.includes('PWNED')");
}

describe("what a Dockerfile's program prints", () => {
  it("comes to a pipe as text, in an open that works", async () => {
    const { exitCode, stdout, stderr } = await oneloop.loop("open", urls.noisy);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(markup);
    expect(stdout + stderr).not.toMatch(harmful);
    expect(stderr).not.toContain("PWNED");
  });

  it("comes to a terminal without steering it, also as the reason of a failure", async () => {
    const loop = [process.execPath, join(root, "cli/bin/loop.js"), "open", urls.broken];
    const command = loop.map((word) => `'${word}'`).join(" ");
    const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env: oneloop.env });
    expect(stdout).toContain("Dockerfile:3: the build's program ended with status 7.");
    expect(stdout).toContain(markup);
    // The command line's own: back to the begin of the line, and clear to its end.
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    const others = stdout.replaceAll(/\r\u001B\[K|\r\n|\u001B\[\d*m/g, "");
    expect(others.match(harmful)?.[0]).toBeUndefined();
    expect(stdout).not.toContain("PWNED");
    expect(stdout).not.toContain("\u001B[31m");
  });

  it("stands in the events and in what is said of the failure as text", async () => {
    const failed = (await oneloop.loopJson<WorkspaceDetail[]>("list")).find(
      ({ state }) => state === "failed",
    );
    const detail = await oneloop.loopJson<WorkspaceDetail>("show", failed?.name ?? "none");
    const texts = detail.events.map(({ message }) => message);
    const reason = detail.events.find(({ code }) => code === "image-unavailable")?.message;
    expect(reason).toContain(markup);
    expect(texts.filter((text) => harmful.test(text))).toEqual([]);
  });

  it("is shown by the page as it is: no markup, no script, nothing that reorders", async () => {
    for (const repository of ["broken", "noisy"]) {
      await page.goto(oneloop.url);
      await page
        .getByRole("link", { name: new RegExp(`^${repository}-main-`) })
        .first()
        .click();
      await page
        .getByText(repository === "broken" ? "Start again" : "Services")
        .first()
        .waitFor();
      const shown = await page.locator("body").innerText();
      if (repository === "broken") expect(shown).toContain(markup);
      expect(shown).not.toMatch(harmful);
      expect(await pwned()).toBe(false);
    }
  });

  it("makes no line of its own in the log, and none that steers who reads it", async () => {
    const log = await readFile(join(oneloop.dataDir, "test-control-plane.log"), "utf8");
    expect(log.match(harmful)?.[0]).toBeUndefined();
    const forged = log.split("\n").filter((line) => line.startsWith('{"level":60'));
    expect(forged).toEqual([]);
  });
});

describe("a task that fails", () => {
  it("is told of in words, whatever it printed; its terminal shows the rest", async () => {
    const [noisy] = await oneloop
      .loopJson<WorkspaceDetail[]>("list")
      .then((all) => all.filter(({ name }) => name.startsWith("noisy")));
    const { events } = await oneloop.loopJson<WorkspaceDetail>("show", noisy?.name ?? "");
    const failed = events.filter(({ code }) => code === "task-failed");
    expect(failed.map(({ message }) => message)).toEqual([
      "The task prints ended with status 3. Its terminal says why.",
    ]);
  });
});

describe("the browser terminal", () => {
  beforeAll(async () => {
    const { name } = await oneloop.loopJson<WorkspaceSummary>("open", urls.noisy);
    await page.goto(`${oneloop.url}/workspaces/${name}`);
    await waitForTerminal(page, "$");
  });

  it("with a GPU draws into its canvas, and goes on in the page where that is lost", async () => {
    const browser = lifetime.own(await startBrowserWithWebGl());
    const other = await browser.newPage();
    await browser.context.addCookies(await page.context().cookies());
    await other.goto(page.url());
    // The canvas of the WebGL addon is the only one; the DOM has no rows then.
    const lost = other.evaluate<boolean>(`new Promise((resolve) => {
      const look = () => {
        const canvas = [...document.querySelectorAll(".xterm-screen canvas")]
          .find((one) => one.getContext("webgl2") !== null);
        if (canvas === undefined) return requestAnimationFrame(look);
        if (document.querySelector(".xterm-rows") !== null) return resolve(false);
        canvas.getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
        resolve(true);
      };
      look();
    })`);
    expect(await lost).toBe(true);
    await waitForTerminal(other, "$");
    await typeLine(other, "echo drawn-$((40 + 1))");
    await waitForTerminal(other, "drawn-41");
  });

  it("without a GPU draws all the same: a title is no title of the page, markup is text", async () => {
    await waitForTerminal(page, "$");
    await typeLine(page, "sh /workspace/noisy/hostile.sh; echo drawn-$((40 + 2))");
    await waitForTerminal(page, "drawn-42");
    expect(await terminalText(page)).toContain("window.pwned = 1");
    expect(await page.evaluate("window.pwned")).toBeUndefined();
  });
});
