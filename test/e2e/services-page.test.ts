import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriftReport } from "../../server/protocol/drift.ts";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import {
  axeProblems,
  painted,
  signIn,
  startBrowser,
  typeLine,
  waitForTerminal,
} from "../helpers/browser.ts";
import { root, run } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { SshWorkspace } from "../helpers/ssh-workspace.ts";

// A workspace whose services print: one what would be markup and colours, one without end on demand.
const lifetime = new Lifetime();
let world: SshWorkspace;
let page: Page;

const evil = String.raw`\033[31mred\033[0m <img src=x id=evil> \033]0;title\007end`;
const image = "oneloop/workspace:latest";
const component = (name: string, script: string): string => `
  - name: ${name}
    container:
      image: ${image}
      command: [sh, -c]
      args: [${JSON.stringify(script)}]
      memoryLimit: 256Mi
`;
/** Prints when it is told to, by a line in its pipe: `flood` prints without end until it is gone. */
const onDemand =
  "mkfifo /tmp/say; echo ready; while :; do read -r line < /tmp/say; " +
  'case "$line" in flood) timeout 20 yes "$(printf %200s flood)";; ?*) echo "$line";; esac; done';

const devfile = `schemaVersion: 2.2.2
metadata:
  name: services
components:
  - name: dev
    container:
      image: ${image}
${component("evil", `printf '${evil}\\n'; echo oops >&2; exec sleep 1000000`)}
${component("speaker", onDemand)}
`;

const mirroringDevfile = `schemaVersion: 2.2.2
metadata:
  name: shop
attributes:
  mirror: compose.yaml
components:
  - name: front-end
    container:
      image: ${image}
`;
const compose = `services:
  front-end:
    image: example/front-end:1
    mem_limit: 64m
  ticker:
    image: ${image}
    command: ["sh", "-c", "echo tick; trap 'exit 0' TERM; sleep 1000000 & wait"]
    mem_limit: 128m
    environment:
      ROLE: ticker
    ports: ["8080:8080"]
  flaky:
    image: ${image}
    command: ["sh", "-c", "echo failing; exit 3"]
    restart: always
  gone:
    image: localhost:9/no/such-image:1
`;

beforeAll(async () => {
  world = lifetime.own(await SshWorkspace.start({ "devfile.yaml": devfile }));
  const browser = lifetime.own(await startBrowser());
  page = await browser.newPage();
  await signIn(page, world.oneloop.signInLink);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** A busy machine starts a container in some seconds. */
const slow = { timeout: 60_000 };
const at = (search: string): string =>
  `${world.oneloop.url}/workspaces/${world.ws.name}?view=services${search}`;
const lines = () => page.locator("[data-log] [data-line]");
const line = (text: string) => lines().filter({ hasText: text });

/** Runs a command in the container of `speaker`. */
async function inSpeaker(command: string): Promise<void> {
  const to = `${world.ws.name}.speaker@127.0.0.1`;
  const { exitCode, stderr } = await run("ssh", [...world.options(), to, command]);
  expect(exitCode, stderr).toBe(0);
}

function speak(text: string): Promise<void> {
  return inSpeaker(`echo '${text}' > /tmp/say`);
}

describe("the services of a workspace", () => {
  it("are listed with their states, and say how to have production's around them", async () => {
    await page.goto(at(""));
    const list = page.getByRole("list", { name: `Services of ${world.ws.name}` });
    await list.getByRole("heading", { name: "speaker" }).waitFor();
    expect(await list.getByRole("listitem").count()).toBe(3);
    await expect.poll(() => list.getByText("Running").count()).toBe(3);
    await page.getByText("--mirror k8s/").waitFor();
    // What production has nothing to do with, nobody restarts alone.
    expect(await page.getByRole("button", { name: /^Re(start|build)/ }).count()).toBe(0);
  });

  it("show what all of them print in the terminals' place, which come back", async () => {
    await waitForTerminal(page, "$");
    await typeLine(page, "echo kept-$((40 + 2))");
    await waitForTerminal(page, "kept-42");
    await page.getByRole("link", { name: "Logs of all services" }).press("Enter");
    await line("ready").waitFor();
    await line("oops").waitFor();
    expect(await page.getByRole("tab").filter({ visible: true }).count()).toBe(0);
    await page.getByRole("link", { name: "Close the logs" }).press("Enter");
    await waitForTerminal(page, "kept-42");
  });
});

describe("the logs", () => {
  it("are text: nothing in them is markup, steers, or stays of their colours", async () => {
    await page.goto(at("&logs=evil"));
    await line("end").waitFor();
    expect(await line("end").innerText()).toContain("red <img src=x id=evil> end");
    expect(await page.locator("#evil").count()).toBe(0);
    expect(await page.title()).not.toBe("title");
    expect(await lines().count()).toBe(2);
  });

  it("are live, each line with its service's name, and filtered by the service", async () => {
    await page.getByRole("combobox", { name: "Service" }).selectOption("*");
    await line("ready").waitFor();
    expect(await line("ready").innerText()).toContain("speaker");
    await speak("hello-42");
    await line("hello-42").waitFor();
    await page.getByRole("combobox", { name: "Service" }).selectOption("speaker");
    await line("hello-42").waitFor();
    expect(await line("oops").count()).toBe(0);
    expect(page.url()).toContain("logs=speaker");
  });

  it("are filtered by a text and searched", async () => {
    for (const text of ["one apple", "one pear", "two Apples"]) await speak(text);
    await line("two Apples").waitFor();
    await page.getByLabel("Text to find").fill("apple");
    await page.getByText("2 lines", { exact: true }).waitFor();
    expect(await lines().count()).toBe(2);
    await page.getByLabel("Only these").uncheck();
    await line("one pear").waitFor();
    await page.getByLabel("Text to find").press("Enter");
    await page.getByText("2 of 2 lines").waitFor();
    await page.getByLabel("Text to find").press("Enter");
    await page.getByText("1 of 2 lines").waitFor();
    expect(await page.locator("mark").allInnerTexts()).toEqual(["apple", "Apple"]);
    await page.getByLabel("Text to find").press("Escape");
    await page.getByRole("button", { name: "Follow" }).press("Enter");
  });

  it("stand still while they are held, and say how much came meanwhile", async () => {
    await page.getByRole("button", { name: "Pause" }).press("Enter");
    await speak("while-held");
    await page.getByRole("button", { name: "1 new" }).waitFor();
    expect(await line("while-held").count()).toBe(0);
    await page.getByRole("button", { name: "1 new" }).press("Enter");
    await line("while-held").waitFor();
  });

  it("say that nothing was printed where nothing was", async () => {
    await page.goto(at("&logs=dev"));
    await page.getByText("dev has printed nothing yet.").waitFor();
  });
});

describe("axe finds nothing serious", () => {
  it.each(["", "&logs=*", "&logs=evil"])("with the services%s", async (search) => {
    await page.goto(at(search));
    if (search === "") await page.getByRole("list", { name: /^Services of/ }).waitFor();
    else await line("oops").waitFor();
    await page.locator(".late").first().waitFor({ state: "detached" });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await painted(page);
        expect(await axeProblems(page), `${page.url()} ${width} ${colorScheme}`).toEqual([]);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });
});

describe("loop logs --all", () => {
  it("prints what all services printed, each line with its service's name", async () => {
    const all = await world.oneloop.loop("logs", world.ws.name, "--all", "--grep", "e");
    expect(all.stdout).toContain("evil    | red <img src=x id=evil> end\n");
    expect(all.stdout).toContain("speaker | one apple\n");
    expect(all.stdout).not.toContain("oops");
    const last = await world.oneloop.loop("logs", world.ws.name, "-a", "-n", "1", "--json");
    const read = last.stdout
      .trim()
      .split("\n")
      .map((text): unknown => JSON.parse(text));
    expect(read).toContainEqual({
      ...{ service: "speaker", stream: "stdout", text: "while-held" },
      at: expect.any(String),
    });
    expect(read).not.toContainEqual(expect.objectContaining({ text: "one apple" }));
  });

  it("goes on with -f until the reader leaves", async () => {
    const args = ["logs", world.ws.name, "--all", "-n", "0", "-f"];
    const following = spawn(process.execPath, [join(root, "cli/bin/loop.js"), ...args], {
      env: world.oneloop.env,
    });
    lifetime.defer(() => following.kill("SIGKILL"));
    const ended = once(following, "close");
    let seen = "";
    const heard = new Promise<void>((resolve) => {
      following.stdout.setEncoding("utf8").on("data", (text: string) => {
        seen += text;
        if (seen.includes("speaker | following\n")) resolve();
      });
    });
    // Until the reader is there, what is printed may be before its beginning.
    const say = async (): Promise<void> => {
      await speak("following");
      if (seen === "") await say();
    };
    await Promise.all([say(), heard]);
    following.kill("SIGINT");
    await ended;
    expect(new Set(seen.trim().split("\n"))).toEqual(new Set(["speaker | following"]));
  });
});

describe("production's services around a workspace", () => {
  let name: string;
  const row = (service: string) => page.locator(`[data-service="${service}"]`);

  beforeAll(async () => {
    const files = { "devfile.yaml": mirroringDevfile, "compose.yaml": compose };
    const { path } = await makeRepository(world.folder, "shop", { files });
    ({ name } = await world.oneloop.loopJson<WorkspaceSummary>("open", `file://${path}`));
    await page.goto(`${world.oneloop.url}/workspaces/${name}?view=services`);
  });

  it("have their states, and the reason where one does not run", async () => {
    await page.locator('[data-service="ticker"][data-state="running"]').waitFor();
    await page.locator('[data-service="flaky"][data-state="backing-off"]').waitFor(slow);
    await page.locator('[data-service="gone"][data-state="failed"]').waitFor();
    await row("flaky")
      .getByText(/Restarted/)
      .waitFor();
    expect(await row("flaky").innerText()).toContain("3");
    expect(await row("gone").innerText()).toContain("no/such-image");
    expect(await page.getByText("Nothing of production runs here.").count()).toBe(0);
    // The dev service is no mirror of another: it starts with the workspace.
    expect(
      await row("front-end")
        .getByRole("button", { name: /^Restart/ })
        .count(),
    ).toBe(0);
  });

  it("are started again, which the page and the command line show", async () => {
    await page.getByRole("button", { name: "Restart ticker" }).press("Enter");
    await page.getByText("ticker is started again.").waitFor();
    await page.goto(`${world.oneloop.url}/workspaces/${name}?view=services&logs=ticker`);
    await expect.poll(() => line("tick").count(), slow).toBeGreaterThanOrEqual(2);
    const again = await world.oneloop.loop("restart", name, "ticker");
    expect(again.stdout, again.stderr).toContain("ticker is started again.");
    // The log that is open goes on with what the new start prints.
    await expect.poll(() => line("tick").count(), slow).toBeGreaterThanOrEqual(3);
    const listed = await world.oneloop.loop("services", name);
    expect(listed.stdout).toMatch(/^NAME +STATE +HEALTH +RESTARTS +PORTS +REASON$/m);
    expect(listed.stdout).toMatch(/^ticker +running /m);
    const refused = await world.oneloop.loop("restart", name, "front-end");
    expect(refused.exitCode).not.toBe(0);
  });

  it("have every setting with the line that it comes from", async () => {
    await row("ticker").locator("summary").press("Enter");
    const settings = page.getByLabel("Settings of ticker");
    await settings.getByText("memory limit").waitFor();
    expect(await settings.innerText()).toContain("compose.yaml:8:");
    const { stdout } = await world.oneloop.loop("services", name, "ticker");
    expect(stdout).toMatch(/memory limit: 128 MiB\n +compose.yaml:8:/);
  });

  it("differ from production only where the dev container does, as `loop drift` says", async () => {
    const { exitCode, stdout, stderr } = await world.oneloop.loop("drift", name, "--json");
    expect(exitCode, stderr).toBe(1);
    const report = JSON.parse(stdout) as DriftReport;
    expect([report.a, report.b]).toEqual([name, "compose.yaml"]);
    const breaking = report.findings.filter((finding) => finding.class === "breaking");
    expect(breaking.map(({ id }) => id)).toEqual(["memory-limit:front-end"]);
    expect(breaking[0]?.b.where).toMatchObject({ file: "compose.yaml", line: 4 });
    const none = await world.oneloop.loop("drift", world.ws.name);
    expect([none.exitCode, none.stderr]).toEqual([2, expect.stringContaining("mirrors nothing")]);
  });

  it("let a shell in by the keyboard, which takes the place of the logs", async () => {
    await page.getByRole("button", { name: "Shell in ticker" }).press("Enter");
    await page.getByRole("tab", { name: "ticker", selected: true }).waitFor();
    expect(page.url()).not.toContain("logs=");
    await typeLine(page, "echo $ROLE-$((40 + 2))");
    await waitForTerminal(page, "ticker-42");
  });

  it("are offered where nobody said which, and chosen before the start", async () => {
    const files = { "devfile.yaml": mirroringDevfile.replace(/^attributes.*\n.*\n/m, "") };
    const { path } = await makeRepository(world.folder, "offer", {
      files: { ...files, "compose.yaml": compose },
    });
    await page.goto(`${world.oneloop.url}/new#file://${path}`);
    await page.getByRole("button", { name: "See what would run" }).click();
    const panel = page.getByRole("region", { name: "What would run" });
    const choice = panel.getByRole("group", { name: "Production's services around it" });
    await choice.getByRole("radio").first().waitFor();
    expect(await choice.getByRole("radio").count()).toBe(2);
    expect(await panel.getByText("ticker", { exact: true }).count()).toBe(0);
    await choice.getByRole("radio", { name: "compose.yaml" }).check();
    await panel.getByText("ticker", { exact: true }).waitFor();
    expect(await axeProblems(page)).toEqual([]);
    await panel.getByRole("button", { name: "Start" }).click();
    await page.waitForURL(/\/workspaces\/offer/, { timeout: 60_000 });
    const opened = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    const shown = await world.oneloop.loopJson<WorkspaceSummary>("show", opened);
    expect(shown.services.map((service) => service.name)).toContain("ticker");
  });
});

// Last: the engine keeps no older lines of a service that prints so much.
describe("a service that prints as fast as it can", () => {
  it("leaves the page usable, and ends with its last line", async () => {
    await page.goto(at("&logs=*"));
    await line("while-held").waitFor();
    await speak("flood");
    await page.getByText("prints more than is shown here").first().waitFor();
    await page.getByText(/lines are kept here/).waitFor();
    // What is measured is the page itself: how late it is, frame after frame.
    const worst = await page.evaluate<number>(
      `new Promise((done) => {
        let last = performance.now(), worst = 0, frames = 0;
        const next = () => {
          const now = performance.now();
          worst = Math.max(worst, now - last);
          last = now;
          if (++frames < 120) requestAnimationFrame(next); else done(worst);
        };
        requestAnimationFrame(next);
      })`,
    );
    console.info(`worst frame in the flood: ${Math.round(worst)} ms`);
    expect(worst).toBeLessThan(1000);
    expect(await lines().count()).toBeLessThan(200);
    // A click is answered, and others' lines are still there.
    await page.getByLabel("Text to find").fill("oops");
    await page.getByText("1 line", { exact: true }).waitFor();
    await page.getByLabel("Text to find").fill("");
    await inSpeaker("pkill yes");
    await speak("after-the-flood");
    await line("after-the-flood").waitFor({ timeout: 30_000 });
  });
});
