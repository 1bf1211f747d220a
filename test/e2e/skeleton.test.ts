import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import {
  signIn,
  startBrowser,
  terminalText,
  typeLine,
  waitForTerminal,
  type TestBrowser,
} from "../helpers/browser.ts";
import { testAuthority } from "../helpers/certificates.ts";
import { docker, objectsWith } from "../helpers/engine-objects.ts";
import { startGitServer, type GitServer } from "../helpers/git-server.ts";
import { buildGovappImages, createGovappRepository, govappBranch } from "../helpers/govapp.ts";
import { Installation, root, run, type CommandResult } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";

let folder: string;
let otherFolder: string;
let git: GitServer;
/** Its certificate is of an authority that nobody was told to trust. */
let untrusted: GitServer;
let oneloop: Installation;
let other: Installation;
let browser: TestBrowser;
let page: Page;
let fileUrl: string;
/** The workspace that most of the tests work in. */
let ws: WorkspaceSummary;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-e2e-"));
  const [gitPort, untrustedPort] = [await freePort(), await freePort()];
  const address = machineAddress();
  ({ url: fileUrl } = await createGovappRepository(folder));
  const authority = await testAuthority(folder, address);
  git = await startGitServer({ root: folder, host: address, port: gitPort, tls: authority.tls });
  otherFolder = await mkdtemp(join(tmpdir(), "oneloop-e2e-other-"));
  const { tls } = await testAuthority(otherFolder, address);
  untrusted = await startGitServer({ root: folder, host: address, port: untrustedPort, tls });
  oneloop = await Installation.start({
    env: {
      ONELOOP_ALLOW_NET: `${address}:${gitPort},${address}:${untrustedPort}`,
      ONELOOP_CA_FILE: authority.caFile,
    },
  });
  await buildGovappImages(docker);
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await oneloop?.[Symbol.asyncDispose]();
  await git?.[Symbol.asyncDispose]();
  await untrusted?.[Symbol.asyncDispose]();
  for (const made of [folder, otherFolder]) await rm(made, { recursive: true, force: true });
});

function ssh(user: string, args: string[], input?: string | Buffer): Promise<CommandResult> {
  const options = [
    ...["-F", "none", "-i", join(folder, "key"), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
  ];
  return run("ssh", [...options, `${user}@localhost`, ...args], {
    ...(input === undefined ? {} : { input }),
  });
}

/** A request as a program without a browser makes it, with any Host header. */
function http(host: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; body: string; headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port: oneloop.port, headers: { host, ...headers } },
        (response) => {
          let body = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
          );
        },
      );
      asked.on("error", reject);
      asked.end();
    },
  );
}

describe("opening a repository", () => {
  it("`loop open` of a file:// URL brings up GovApp, signed in by itself on this machine", async () => {
    ws = await oneloop.loopJson<WorkspaceDetail>("open", fileUrl);
    expect(ws).toMatchObject({ state: "running", branch: "main", repository: fileUrl });
    expect(ws.name).toMatch(/^govapp-main-[a-z]{3}$/);
    expect(ws.services.map(({ name, state }) => [name, state])).toEqual([
      ["front-end", "running"],
      ["back-end", "running"],
      ["database", "running"],
    ]);
    expect(ws.ports.map(({ port }) => port)).toContain(3000);
  });

  it("the branch is checked out at /workspace/govapp with a clean status", async () => {
    const { stdout, exitCode } = await oneloop.loop(
      ...["ssh", ws.name, "--", "cd /workspace/govapp && git status --porcelain --branch"],
    );
    expect(exitCode).not.toBe(0);
    expect(stdout).toBe("");
    // No key yet: the gateway lets nobody in.
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
    const added = await oneloop.loop("keys", "add", join(folder, "key.pub"));
    expect(added.exitCode, added.stderr).toBe(0);
    const status = await ssh(ws.name, ["cd /workspace/govapp && git status --porcelain --branch"]);
    expect(status).toMatchObject({ exitCode: 0, stdout: "## main...origin/main\n" });
  });

  it("the same URL again returns the same workspace", async () => {
    const again = await oneloop.loopJson<WorkspaceSummary>("open", fileUrl);
    expect(again.id).toBe(ws.id);
  });

  it("a branch with a slash opens from a git server over HTTPS, by a company's authority", async () => {
    const url = `${git.url("govapp.git")}/tree/${govappBranch}`;
    expect(url).toMatch(/^https:/);
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", url);
    expect(opened).toMatchObject({ state: "running", branch: govappBranch });
    const head = await ssh(opened.name, ["git -C /workspace/govapp rev-parse HEAD"]);
    expect(head.stdout.trim()).toBe(opened.commit);
    // Inside, too: git, and what Node trusts.
    const asked = await ssh(opened.name, [`git -C /workspace/govapp ls-remote origin HEAD`]);
    expect(asked.stdout, asked.stderr).toContain("HEAD");
    const fetched = await ssh(opened.name, [
      `node -e "require('https').get(process.argv[1], (r) => console.log(r.statusCode))" '${git.url("govapp.git/HEAD")}'`,
    ]);
    expect(fetched).toMatchObject({ exitCode: 0, stdout: "200\n" });
    const deleted = await oneloop.loop("delete", opened.name);
    expect(deleted.exitCode, deleted.stderr).toBe(0);
  });

  it("a git server whose certificate nobody vouches for is refused, in words", async () => {
    const url = untrusted.url("govapp.git");
    const { exitCode, stdout } = await oneloop.loop("open", url, "--json");
    expect(exitCode).toBe(2);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe("repository-unreachable");
    expect(error.message).toMatch(/certificate/);
    expect(error.message).toContain("ONELOOP_CA_FILE");
    expect(untrusted.requests).toEqual([]);
  });

  it("a ref that does not exist is an error that says so", async () => {
    const { exitCode, stdout } = await oneloop.loop(
      "open",
      `${fileUrl}/tree/no-such-ref`,
      "--json",
    );
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "ref-not-found" } });
  });

  it("what the devfile asks for is what the containers have", async () => {
    const label = `oneloop.workspace=${ws.id}`;
    const { containers } = await objectsWith(label);
    const inspected = await Promise.all(
      containers.map((name) => docker.getContainer(name.slice(1)).inspect()),
    );
    const backEnd = inspected.find(({ Config }) => Config.Image === "govapp/back-end:dev");
    expect(backEnd?.HostConfig.Memory).toBe(256 * 1024 * 1024);
    const database = inspected.find(({ Config }) => Config.Image === "govapp/database:dev");
    expect(database?.Mounts.map(({ Destination }) => Destination)).toContain(
      "/var/lib/postgresql/data",
    );
    for (const { HostConfig } of inspected) {
      expect(HostConfig.Privileged).toBe(false);
      expect(HostConfig.Binds ?? []).toEqual([]);
    }
  });
});

describe("the browser", () => {
  it("the printed link signs in, once", async () => {
    page = await browser.newPage();
    await signIn(page, oneloop.signInLink);
    await page.getByRole("link", { name: ws.name }).first().waitFor();

    await using stranger = await startBrowser();
    const second = await stranger.newPage();
    await second.goto(oneloop.signInLink);
    await second.getByText(/used already|expired/).waitFor();
  });

  it("shows a terminal, and after a reload the same one with its content", async () => {
    await page.getByRole("link", { name: ws.name }).first().click();
    await waitForTerminal(page, "");
    await page.waitForURL(/terminal=/);
    const first = page.url();
    await page.getByRole("button", { name: /new terminal/i }).click();
    await page.waitForURL((url) => url.href !== first);
    await waitForTerminal(page, "$");
    await typeLine(page, "echo mark-$((40 + 2))-$$");
    await waitForTerminal(page, "mark-42-");
    // The image has no git: the supervisor's volume brings one.
    await typeLine(page, "command -v git");
    await waitForTerminal(page, "/.oneloop/bin/git");
    const before = /mark-42-(\d+)/.exec(await terminalText(page))?.[1];
    await page.reload();
    await waitForTerminal(page, `mark-42-${before}`);
    await typeLine(page, "echo again-$$");
    await waitForTerminal(page, `again-${before}`);
  });

  it("shows the front-end at its port's own address, WebSocket included", async () => {
    const portal = await browser.newPage();
    const url = ws.ports.find(({ port }) => port === 3000)?.url ?? "";
    expect(url).toBe(`http://3000-${ws.name}.localhost:${oneloop.port}/`);
    const live = new Promise<string>((resolve) => {
      portal.on("websocket", (socket) =>
        socket.on("framereceived", ({ payload }) => resolve(`${socket.url()} ${String(payload)}`)),
      );
    });
    await portal.goto(url);
    await portal.getByRole("heading").first().waitFor();
    expect(await live).toMatch(new RegExp(`^ws://3000-${ws.name}\\.localhost:\\d+/live .`));
    // The one cookie of this host is Oneloop's; the page's own scripts do not see it.
    expect(await portal.evaluate("document.cookie")).toBe("");
    // Through the back end into the database, and back.
    await portal.getByRole("link", { name: /passport/i }).click();
    await portal.getByLabel("Your name").fill("Ada");
    await portal.getByLabel("Day").fill("2031-05-06");
    await portal.getByRole("button", { name: "Book" }).click();
    await portal.getByRole("row", { name: /2031-05-06 .*passport.* Ada/i }).waitFor();
    await portal.close();
  });

  it("a stranger sees nothing of the port, and the API not at all", async () => {
    const host = `3000-${ws.name}.localhost:${oneloop.port}`;
    const answer = await http(host);
    expect([302, 401]).toContain(answer.status);
    const unknown = await http(`3000-no-such-workspace-xyz.localhost:${oneloop.port}`);
    expect(unknown.status).toBe(answer.status);
    const api = await http(`app.localhost:${oneloop.port}`, { cookie: "a=b" });
    expect(api.body).not.toContain(ws.name);
  });
});

describe("ssh", () => {
  it("`ssh <workspace>@localhost true` succeeds, and passes on any other status", async () => {
    expect(await ssh(ws.name, ["true"])).toMatchObject({ exitCode: 0 });
    expect(await ssh(ws.name, ["exit 7"])).toMatchObject({ exitCode: 7 });
  });

  it("keeps standard input, output and error apart", async () => {
    const big = Buffer.alloc(3_000_000, "abcdefghi\n");
    const counted = await ssh(ws.name, ["cat | wc -c; echo oops >&2"], big);
    expect(counted.stdout.trim()).toBe("3000000");
    expect(counted.stderr).toContain("oops");
  });

  it("gives a shell with a terminal", async () => {
    const shell = await ssh(ws.name, ["-tt", "test -t 0 && stty size && echo on-a-$((1+0))-tty"]);
    expect(shell.stdout).toMatch(/\d+ \d+\r?\n/);
    expect(shell.stdout).toContain("on-a-1-tty");
  });

  it("refuses a key that nobody added", async () => {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "stranger")]);
    const options = [
      ...["-F", "none", "-i", join(folder, "stranger"), "-o", "IdentitiesOnly=yes"],
      ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`, "-o", "BatchMode=yes"],
      ...["-p", String(oneloop.sshPort), `${ws.name}@localhost`, "true"],
    ];
    const { exitCode, stderr } = await run("ssh", options);
    expect(exitCode).toBe(255);
    expect(stderr).toContain("Permission denied");
  });
});

describe("kill -9 of the control plane", () => {
  it("programs and terminals live on, and the terminal shows what was printed meanwhile", async () => {
    const go = "/tmp/go-on";
    await typeLine(
      page,
      `until [ -e ${go} ]; do sleep 0.1; done; echo printed-$((6 * 7))-meanwhile`,
    );
    await waitForTerminal(page, "sleep 0.1");
    await oneloop.kill();

    // Nobody is between us and the container now: the engine itself lets the program go on.
    const { containers } = await objectsWith(`oneloop.workspace=${ws.id}`);
    const dev = containers.find((name) => name.endsWith("-front-end")) ?? "";
    const touched = await run("docker", ["exec", dev.slice(1), "touch", go]);
    expect(touched.exitCode, touched.stderr).toBe(0);

    const printed = await oneloop.start();
    expect(printed).toContain("adopted");
    await waitForTerminal(page, "printed-42-meanwhile");
  });

  it("`loop ssh` works again, and the host key is the same", async () => {
    expect(await ssh(ws.name, ["echo same key"])).toMatchObject({
      exitCode: 0,
      stdout: "same key\n",
    });
    const viaLoop = await oneloop.loop("show", ws.name, "--json");
    expect(JSON.parse(viaLoop.stdout)).toMatchObject({ id: ws.id, state: "running" });
    const script = 'ssh-add -q "$1" && shift && exec "$@"';
    const loopSsh = [join(root, "cli/bin/loop.js"), "ssh", ws.name, "--", "echo by loop"];
    const args = ["sh", "-c", script, "sh", join(folder, "key"), process.execPath, ...loopSsh];
    const { stdout, stderr } = await run("ssh-agent", args, { env: oneloop.env });
    expect(stdout, stderr).toBe("by loop\n");
  });
});

describe("stop, start and delete", () => {
  it("a stop keeps source and home", async () => {
    await ssh(ws.name, ["echo kept > /workspace/govapp/note.txt; echo kept > ~/note.txt"]);
    const stopped = await oneloop.loop("stop", ws.name);
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    const shown = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    expect(shown.state).toBe("stopped");
    const started = await oneloop.loop("start", ws.name);
    expect(started.exitCode, started.stderr).toBe(0);
    const notes = await ssh(ws.name, ["cat /workspace/govapp/note.txt ~/note.txt"]);
    expect(notes.stdout).toBe("kept\nkept\n");
  });

  it("a login starts a stopped workspace", async () => {
    await oneloop.loop("stop", ws.name);
    expect(await ssh(ws.name, ["cat /workspace/govapp/note.txt"])).toMatchObject({
      exitCode: 0,
      stdout: "kept\n",
    });
  });

  it("delete refuses while work is uncommitted, and lists it", async () => {
    const refused = await oneloop.loop("delete", ws.name);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout + refused.stderr).toContain("note.txt");
    expect((await oneloop.loopJson<WorkspaceDetail>("show", ws.name)).state).toBe("running");
  });

  it("delete refuses while a commit is unpushed, and lists it", async () => {
    const commit = "git -c user.name=A -c user.email=a@example.org commit -qam 'Only here'";
    await ssh(ws.name, [`cd /workspace/govapp && git add -A && ${commit}`]);
    const refused = await oneloop.loop("delete", ws.name);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout + refused.stderr).toContain("Only here");
  });

  it("a second installation on the same engine is not touched by the first", async () => {
    other = await Installation.start();
    await writeFile(join(folder, "stamp"), "");
    const opened = await other.loopJson<WorkspaceSummary>("open", fileUrl);
    // Not all of the installation's: it goes on to make the next workspace ready.
    const before = await objectsWith(`oneloop.workspace=${opened.id}`);
    expect(before.containers.length).toBeGreaterThan(3);

    const deleted = await oneloop.loop("delete", ws.name, "--force");
    expect(deleted.exitCode, deleted.stderr).toBe(0);
    const left = await objectsWith(`oneloop.workspace=${ws.id}`);
    expect(left).toEqual({ containers: [], networks: [], volumes: [] });

    expect(await objectsWith(`oneloop.workspace=${opened.id}`)).toEqual(before);
    const shown = await other.loopJson<WorkspaceDetail>("show", opened.name);
    expect(shown.state).toBe("running");
  });

  it("afterwards, and after an orderly end, only Oneloop's own parts are left", async () => {
    expect(await oneloop.loopJson<unknown[]>("list")).toEqual([]);
    await oneloop.stop();
    const left = await objectsWith(`oneloop.installation=${oneloop.id}`);
    const parts = await objectsWith("oneloop.part");
    const ofParts = [...parts.containers, ...parts.networks, ...parts.volumes];
    for (const name of [...left.containers, ...left.networks, ...left.volumes]) {
      expect(ofParts).toContain(name);
    }
  });
});

it("unbuilt, `loop` says what to do", async () => {
  const bare = await mkdtemp(join(tmpdir(), "oneloop-unbuilt-"));
  try {
    await run("cp", ["-r", "--parents", "cli/bin/loop.js", "package.json", bare], { cwd: root });
    const { exitCode, stderr } = await run(process.execPath, [
      join(bare, "cli/bin/loop.js"),
      "list",
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("npm start");
  } finally {
    await rm(bare, { recursive: true });
  }
});
