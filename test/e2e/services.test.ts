import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "node:child_process";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextTar } from "../../server/engine/docker/images/context.ts";
import { followOutput } from "../../server/engine/docker/images/operation.ts";
import { randomIds } from "../../server/util/ids.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import {
  axeProblems,
  signIn,
  startBrowser,
  terminalText,
  typeLine,
  waitForTerminal,
} from "../helpers/browser.ts";
import { docker } from "../helpers/engine-objects.ts";
import { testImages } from "../helpers/images.ts";
import { root, run, type CommandResult } from "../helpers/installation.ts";
import { SshWorkspace } from "../helpers/ssh-workspace.ts";

// A workspace of two components; one of them has an image with nothing in it but busybox.
const lifetime = new Lifetime();
const image = `oneloop-test/busybox:${randomIds.id().slice(0, 8)}`;
let world: SshWorkspace;

const dockerfile = `
FROM oneloop/base:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static
FROM scratch
COPY --from=build /bin/busybox /bin/busybox
`;

/** Prints on both its outputs, and ends when it is told to. */
const ticker = "echo tick 1; echo oops >&2; echo tick 2; trap 'exit 0' TERM; sleep 1000000 & wait";

const devfile = `schemaVersion: 2.2.2
metadata:
  name: services
components:
  - name: dev
    container:
      image: oneloop/workspace:latest
      command: [sh, -c, "echo serving; exec sleep 1000000"]
  - name: ticker
    container:
      image: ${image}
      command: [/bin/busybox, sh, -c]
      args: ["${ticker.replaceAll("sleep", "/bin/busybox sleep")}"]
      mountSources: false
      memoryLimit: 64Mi
      env:
        - name: ROLE
          value: ticker
`;

beforeAll(async () => {
  const base = await testImages(randomIds.id().slice(0, 8));
  const context = contextTar([{ name: "Dockerfile", source: { content: dockerfile } }]);
  const output = await docker.buildImage(context, { t: image, version: "2" });
  await followOutput(docker, output, () => undefined);
  lifetime.defer(async () => void (await docker.getImage(image).remove({ force: true })));
  await base[Symbol.asyncDispose]();
  world = lifetime.own(await SshWorkspace.start({ "devfile.yaml": devfile }));
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const place = (service: string): string => `${world.ws.name}.${service}`;

/** The real OpenSSH client, as a service's login. */
function ssh(
  service: string,
  command: readonly string[],
  more: { readonly options?: readonly string[]; readonly input?: string } = {},
): Promise<CommandResult> {
  const { options = [], input } = more;
  const to = `${place(service)}@127.0.0.1`;
  const args = [...options, ...world.options(), to, ...command];
  return run("ssh", args, input === undefined ? {} : { input });
}

describe("ssh <workspace>.<service>", () => {
  it("runs a command in the service's container, with its status and both outputs", async () => {
    const command = ["echo $ROLE $PWD; ls /bin; echo no >&2; exit 3"];
    expect(await ssh("ticker", command)).toEqual({
      exitCode: 3,
      stdout: "ticker /\nbusybox\n",
      stderr: "no\n",
    });
  });

  it("gives a shell on a terminal, without words of ours", async () => {
    const input = "echo $((40 + 2)) $ROLE\nexit 5\n";
    const { exitCode, stdout } = await ssh("ticker", [], { options: ["-tt"], input });
    expect(exitCode).toBe(5);
    expect(stdout).toContain("42 ticker\r\n");
    expect(stdout).not.toContain(world.ws.name);
  });

  it("takes and gives files by sftp", async () => {
    const [there, back] = [join(world.folder, "there"), join(world.folder, "back")];
    await writeFile(there, "a file\n");
    const script = `put ${there} /dev/shm/file\nget /dev/shm/file ${back}\n`;
    const args = ["-b", "-", ...world.options(), `${place("ticker")}@127.0.0.1`];
    const { exitCode, stderr } = await run("sftp", args, { input: script });
    expect(exitCode, stderr).toBe(0);
    expect(await readFile(back, "utf8")).toBe("a file\n");
  });

  it("leads to the dev container by its name, too", async () => {
    const { stdout } = await ssh("dev", ["pwd"]);
    expect(stdout).toBe("/workspace/sessions\n");
  });

  it("says which services there are where it is none of them", async () => {
    const { exitCode, stderr } = await ssh("mail", ["true"]);
    expect(exitCode).toBe(255);
    expect(stderr).toContain(`${world.ws.name} has no service mail. It has dev and ticker.`);
  });

  it("is what `loop ssh` does, and what the shell's completion offers", async () => {
    const loop = join(root, "cli/bin/loop.js");
    const script = 'ssh-add -q "$1" && shift && exec "$@"';
    const args = ["sh", "-c", script, "sh", join(world.folder, "key")];
    const command = [process.execPath, loop, "ssh", place("ticker"), "--", "echo $ROLE"];
    const { stdout, stderr } = await run("ssh-agent", [...args, ...command], {
      env: world.oneloop.env,
    });
    expect(stdout, stderr).toBe("ticker\n");
    const names = await world.oneloop.loop("workspace-names", "--services");
    expect(names.stdout).toBe(`${world.ws.name}\n${place("dev")}\n${place("ticker")}\n`);
  });
});

describe("loop logs <workspace> <service>", () => {
  it("prints what the service printed, each output where it belongs", async () => {
    expect(await world.oneloop.loop("logs", world.ws.name, "ticker")).toEqual({
      exitCode: 0,
      stdout: "tick 1\ntick 2\n",
      stderr: "oops\n",
    });
    const last = await world.oneloop.loopJson("logs", world.ws.name, "ticker", "-n", "1");
    // The engine reads two pipes, so the second of two lines may be of either.
    const text = expect.stringMatching(/^(?:tick 2|oops)$/);
    expect(last).toEqual([{ at: expect.any(String), stream: expect.any(String), text }]);
  });

  it("prints what the dev service's own command printed", async () => {
    const { stdout } = await world.oneloop.loop("logs", world.ws.name, "dev");
    expect(stdout).toBe("serving\r\n");
  });

  it("goes on with -f until the reader leaves", async () => {
    const args = [join(root, "cli/bin/loop.js"), "logs", world.ws.name, "ticker", "-n", "0", "-f"];
    const following = spawn(process.execPath, args, { env: world.oneloop.env });
    const ended = once(following, "close");
    let seen = "";
    const heard = new Promise<void>((resolve) => {
      following.stdout.setEncoding("utf8").on("data", (text: string) => {
        seen += text;
        if (seen.endsWith("hello\n")) resolve();
      });
    });
    // Until the reader is there, what is printed may be before its beginning.
    const say = async (): Promise<void> => {
      await ssh("ticker", ["echo hello > /proc/1/fd/1"]);
      if (seen === "") await say();
    };
    await Promise.all([say(), heard]);
    following.kill("SIGINT");
    await ended;
    expect(new Set(seen.trim().split("\n"))).toEqual(new Set(["hello"]));
  });

  it("says which services there are where it is none of them", async () => {
    const { exitCode, stderr } = await world.oneloop.loop("logs", world.ws.name, "mail");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("It has dev and ticker.");
  });
});

describe("the page of the workspace", () => {
  let page: Page;

  it("opens a shell in a service by the keyboard, in a tab of the service's name", async () => {
    const browser = lifetime.own(await startBrowser());
    page = await browser.newPage();
    await signIn(page, world.oneloop.signInLink);
    await page.goto(`${world.oneloop.url}/workspaces/${world.ws.name}?view=services`);
    await waitForTerminal(page, "$");
    await page.getByRole("button", { name: "Shell in ticker" }).press("Enter");
    await page.getByRole("tab", { name: "ticker", selected: true }).waitFor();
    // The focus is in it: nothing is clicked.
    await page.locator('[data-connection="open"] .xterm-helper-textarea:focus').waitFor();
    await page.keyboard.type("echo $ROLE $((40 + 2))\n");
    await waitForTerminal(page, "ticker 42");
    expect(await axeProblems(page)).toEqual([]);
  });

  it("finds that shell again after the control plane was killed", async () => {
    await world.oneloop.kill();
    await world.oneloop.start();
    await page.reload();
    await page.getByRole("tab", { name: "ticker", selected: true }).waitFor();
    await waitForTerminal(page, "ticker 42");
    await typeLine(page, "echo again $((40 + 3))");
    await waitForTerminal(page, "again 43");
    expect(await terminalText(page)).toContain("ticker 42");
  });

  it("closes it by the keyboard", async () => {
    await page.getByRole("tab", { name: "ticker" }).press("Delete");
    await page.getByRole("button", { name: "End it" }).press("Enter");
    await page.getByRole("tab", { name: "ticker" }).waitFor({ state: "detached" });
  });
});
