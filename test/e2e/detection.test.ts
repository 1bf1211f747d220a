import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn as spawnPty } from "node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Preview } from "../../server/protocol/preview.ts";
import type { CommandView, WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { imageVersions } from "../../server/sources/detect/versions.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { startBrowser, waitForTerminal, type TestBrowser } from "../helpers/browser.ts";
import { git } from "../helpers/git.ts";
import { startGitServer } from "../helpers/git-server.ts";
import { startGoMirror } from "../helpers/go-mirror.ts";
import { Installation, root, run, type CommandResult } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { makeRepository, type Files } from "../helpers/repositories.ts";

const program = join(root, "cli/bin/loop.js");
/** Debian's packages come over the network, and are unpacked on a busy disk. */
const installTimeoutMs = 600_000;

const shop: Files = {
  "package.json": `{
  "name": "shop",
  "version": "1.0.0",
  "scripts": {
    "start": "node server.js",
    "test": "node -e \\"console.log('tested-' + 6 * 7); process.exit(3)\\""
  }
}
`,
  "package-lock.json": `{
  "name": "shop",
  "version": "1.0.0",
  "lockfileVersion": 3,
  "packages": { "": { "name": "shop", "version": "1.0.0" } }
}
`,
  "server.js": "require('http').createServer((q, r) => r.end('shop')).listen(3000);\n",
  Dockerfile: "FROM node:24\nEXPOSE 3000\n",
  "report/requirements.txt": "# nothing yet\n",
  "report/main.py": "import sys\nprint('venv' if sys.prefix != sys.base_prefix else 'system')\n",
};

/** No release of Go has this number: what answers with it came from this test. */
const goVersion = "1.99.5";
const host = machineAddress();

const lifetime = new Lifetime();
let folder: string;
let oneloop: Installation;
let browser: TestBrowser;
/** Nobody listens there before a test does. */
let goPort: number;
/** As a user has it: without the signs of a test. */
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-detection-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const devfile = (name: string): string =>
    `schemaVersion: 2.2.2
metadata:
  name: ${name}
components:
  - name: ${name}
    container:
      image: oneloop/workspace:latest
`;
  await makeRepository(folder, "shop", { files: shop });
  await makeRepository(folder, "pages", {
    files: {
      "composer.json": '{\n  "name": "acme/pages"\n}\n',
      "index.php": "<?= 'php' . 6 * 7;\n",
    },
  });
  await makeRepository(folder, "several", {
    files: { "devfile.yaml": devfile("front"), ".devfile/api.devfile.yaml": devfile("api") },
  });
  await makeRepository(folder, "gopher", {
    files: { "go.mod": `module gopher\n\ngo ${goVersion}\n` },
  });
  const releases = await makeRepository(folder, "go-releases", { files: {} });
  await git(releases.path, "tag", `go${goVersion}`, "main");
  const gitPort = await freePort();
  const gitServer = lifetime.own(await startGitServer({ root: folder, host, port: gitPort }));
  goPort = await freePort();
  oneloop = lifetime.own(
    await Installation.start({
      env: { ONELOOP_ALLOW_NET: `${host}:${gitPort},${host}:${goPort}` },
    }),
  );
  env = { ...oneloop.env, HOME: folder, TERM: "xterm" };
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  await mkdir(join(folder, ".ssh"), { mode: 0o700 });
  await writeFile(join(folder, ".ssh/config"), `IdentityFile ${join(folder, "key")}\n`);
  await mkdir(join(folder, "bin"));
  await writeFile(
    join(folder, "bin/ssh"),
    `#!/bin/sh\nexec /usr/bin/ssh -F none -i ${join(folder, "key")} -o IdentitiesOnly=yes "$@"\n`,
    { mode: 0o755 },
  );
  await oneloop.loopJson("keys", "add", join(folder, "key.pub"));
  // Nobody is asked for it, then.
  await oneloop.loopJson("profile", "--name", "Ada Example", "--email", "ada@example.org");
  // mise's own settings: where Go's releases are listed, and where they lie.
  for (const variable of [
    `MISE_GO_REPO=${gitServer.url("go-releases.git")}`,
    `MISE_GO_DOWNLOAD_MIRROR=http://${host}:${goPort}`,
  ])
    await oneloop.loopJson("variables", "set", variable);
  browser = lifetime.own(await startBrowser());
  const page = await browser.newPage();
  await page.goto(oneloop.signInLink);
  await page.getByRole("heading", { name: "Open a workspace" }).waitFor();
  await page.close();
});

afterAll(() => lifetime[Symbol.asyncDispose]());

const url = (name: string): string => `file://${join(folder, name)}.git`;

function ssh(user: string, command: string): Promise<CommandResult> {
  return run("ssh", [
    ...["-F", "none", "-i", join(folder, "key"), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
    ...[`${user}@localhost`, command],
  ]);
}

/** `loop run`, with the key of this test: ssh reads the account's own files, whatever HOME says. */
function loopRun(...args: string[]): Promise<CommandResult> {
  return run(process.execPath, [program, "run", ...args], {
    env: { ...env, PATH: `${folder}/bin:${env["PATH"]}` },
  });
}

/** Waits inside, where it costs nobody a look, until tasks are done. */
async function untilDone(name: string, ...marks: string[]): Promise<void> {
  const there = marks.map((mark) => `[ -e ${mark}.done ]`).join(" && ");
  const { exitCode, stderr } = await ssh(name, `until ${there}; do sleep 0.1; done`);
  expect(exitCode, stderr).toBe(0);
}

describe("a repository without a devfile", () => {
  let ws: WorkspaceDetail;

  it("is shown with its reasons before anything starts", async () => {
    const preview = await oneloop.loopJson<Preview>("plan", url("shop"));
    expect(preview.configuration).toMatchObject({
      kind: "found",
      summary: [
        "Node.js (package.json)",
        "Dockerfile (Dockerfile)",
        "Python (report/requirements.txt)",
      ],
    });
    const part = (name: string) => preview.parts.find((one) => one.name === name);
    expect(part("install-dependencies")).toMatchObject({
      kind: "task",
      says: "once: npm ci",
      where: ["package-lock.json:1:1"],
    });
    expect(part("3000 of dev")?.where).toEqual(["Dockerfile:2:1"]);
    expect(part("test")).toMatchObject({ kind: "command", says: "test (default): npm run test" });
    expect(preview.leftOut.map(({ what, where }) => `${where} ${what}`)).toEqual([
      "Dockerfile:1:1 Dockerfile",
    ]);
    const printed = await oneloop.loop("plan", url("shop"));
    expect(printed.stdout).toContain("because of package-lock.json:1:1");
    expect(await oneloop.loopJson("list")).toEqual([]);
  });

  it("a folder of this machine is shown the same", async () => {
    // Of the same name: it is where its commands run.
    const tree = join(folder, "trees/shop");
    await run("git", ["clone", "--quiet", url("shop"), tree]);
    const [ofUrl, ofFolder] = [
      await oneloop.loopJson<Preview>("plan", url("shop")),
      await oneloop.loopJson<Preview>("plan", tree),
    ];
    expect(ofFolder.parts).toEqual(ofUrl.parts);
    expect(ofFolder.leftOut).toEqual(ofUrl.leftOut);
  });

  it("opens, says what was found, and installs what its lock files say", async () => {
    const opened = await oneloop.loop("open", url("shop"));
    expect(opened.exitCode, opened.stderr).toBe(0);
    expect(opened.stderr).toContain("no devfile; found Node.js (package.json)");
    expect(opened.stderr).toContain("# package-lock.json:1: it says which packages");
    const [listed] = await oneloop.loopJson<WorkspaceDetail[]>("list");
    ws = await oneloop.loopJson<WorkspaceDetail>("show", listed?.name ?? "");
    expect(ws).toMatchObject({ state: "running" });
    await untilDone(
      ws.name,
      ...["install-dependencies", "report-install-dependencies"].map(
        (task) => `~/.oneloop/tasks/${task}`,
      ),
    );
    const python = await ssh(ws.name, "ls /workspace/shop/report/.venv/bin/python3");
    expect(python.exitCode, python.stderr).toBe(0);
  });

  it("offers its commands, and `loop run` ends as they do", async () => {
    const offered = await oneloop.loopJson<CommandView[]>("run", ws.name);
    expect(offered.map(({ name, group }) => [name, group?.kind, group?.isDefault])).toEqual([
      ["install-dependencies", undefined, undefined],
      ["report-install-dependencies", undefined, undefined],
      ["set-up-all", undefined, undefined],
      ["start", "run", true],
      ["test", "test", true],
      ["report-run", "run", false],
    ]);
    const tested = await loopRun(ws.name, "test");
    expect(tested.stdout, tested.stderr).toContain("tested-42");
    expect(tested.exitCode).toBe(3);
    const reported = await loopRun(ws.name, "report-run");
    expect(reported).toMatchObject({ exitCode: 0, stdout: "venv\n" });
    const none = await loopRun(ws.name, "deploy");
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain("no command deploy");
  });

  it("installs once: a second start runs nothing of it", async () => {
    const when = "stat -c %Y.%Z ~/.oneloop/tasks/*.done";
    const before = await ssh(ws.name, when);
    expect(before.stdout.trim().split("\n")).toHaveLength(2);
    await oneloop.loop("stop", ws.name);
    await oneloop.loop("start", ws.name);
    // The dev service's own task is of every start, and comes after those of the creation.
    const after = await ssh(ws.name, when);
    expect(after.stdout).toBe(before.stdout);
    await oneloop.loop("delete", ws.name, "--force");
  });
});

describe("the page", () => {
  it(
    "shows what was found and starts it by a click; a language comes as Debian's package, in a terminal",
    async () => {
      const page = await browser.newPage();
      await page.goto(`${oneloop.url}/new#${url("pages")}`);
      await page.getByRole("button", { name: "Open", exact: true }).click();
      const shown = page.getByRole("region", { name: "What would run" });
      await shown.getByText("PHP (composer.json)").waitFor();
      await shown.getByText(/^: once in its container: sudo apt-get update/).waitFor();
      await shown.getByText("composer.json:1:1").first().waitFor();
      expect(await oneloop.loopJson("list")).toEqual([]);

      await shown.getByRole("button", { name: "Start" }).click();
      // The shell of a first visit comes to the front when it is there.
      await waitForTerminal(page, "$");
      await page.getByRole("tab", { name: "install-packages" }).click();
      const [ws] = await oneloop.loopJson<WorkspaceDetail[]>("list");
      await untilDone(ws?.name ?? "", "/var/tmp/.oneloop/tasks/install-packages");
      const front = page.locator('[role="tabpanel"]:not([hidden])');
      await front.filter({ hasText: /Setting up|Processing triggers/ }).waitFor();
      const printed = await ssh(
        ws?.name ?? "",
        "php /workspace/pages/index.php; composer --version",
      );
      expect(printed.stdout, printed.stderr).toMatch(/^php42\n?.*Composer/s);
      // What detection holds a repository's wishes to is what Debian has.
      const { python, go, ruby } = imageVersions;
      const offered = await ssh(
        ws?.name ?? "",
        `apt-cache policy golang-${go.slice(0, 2).join(".")}-go ruby${ruby.slice(0, 2).join(".")}; python3 --version`,
      );
      // Ruby's patch is the one of the last security update.
      for (const version of [`Candidate: ${go.join(".")}-`, `Candidate: ${ruby.join(".")}.`])
        expect(offered.stdout).toContain(version);
      expect(offered.stdout).toContain(`Python ${python.join(".")}\n`);

      await page.getByRole("button", { name: "Run a command" }).click();
      await page.getByRole("menuitem", { name: /^run/ }).click();
      await page.getByRole("tab", { name: "run" }).waitFor();
      await waitForTerminal(page, "Development Server");
      await page.close();
    },
    installTimeoutMs,
  );
});

describe("a version that Debian does not have", () => {
  let name: string;
  const mark = "/var/tmp/.oneloop/tasks/install-go";

  it("is looked for in a terminal, which says what to do where its host does not answer", async () => {
    const preview = await oneloop.loopJson<Preview>("plan", url("gopher"));
    const part = preview.parts.find((one) => one.name === "install-go");
    expect(part).toMatchObject({ kind: "task", where: ["go.mod:3:1"] });
    expect(part?.says).toContain(`mise install --yes go@${goVersion}`);

    ({ name } = await oneloop.loopJson<WorkspaceDetail>("open", url("gopher")));
    const page = await browser.newPage();
    await page.goto(`${oneloop.url}/workspaces/${name}?view=events`);
    await page
      .getByText("The task install-go ended with status 1. Its terminal says why.")
      .waitFor({ timeout: installTimeoutMs });
    await page.getByRole("tab", { name: "install-go" }).click();
    const front = page.locator('[role="tabpanel"]:not([hidden])');
    await front.filter({ hasText: "Connection refused" }).waitFor();
    await front
      .filter({ hasText: `Go ${goVersion}, which go.mod:3 asks for, could not be installed` })
      .waitFor();
    await page.close();
    const without = await ssh(name, `ls ${mark}.done; go version`);
    expect(without.exitCode).toBe(127);
    expect(without.stderr).toContain("No such file");
  }, 240_000);

  it("is installed by a later start, and every shell and command has it", async () => {
    await using mirror = await startGoMirror({ version: goVersion, host, port: goPort });
    await oneloop.loop("stop", name);
    await oneloop.loop("start", name);
    await untilDone(name, mark);
    const version = `go version go${goVersion} linux/test\n`;
    expect(await ssh(name, "go version")).toMatchObject({ stdout: version });
    expect(await ssh(name, "bash --login -ic 'go version'")).toMatchObject({ stdout: version });
    const built = await loopRun(name, "build");
    expect(built).toMatchObject({ exitCode: 0, stdout: `go${goVersion} build ./...\n` });

    const asked = mirror.requests.length;
    expect(asked).toBeGreaterThan(0);
    // An installation takes seconds: it would be seen at work.
    const when = `pgrep -f "[n]pm install|[m]ise " || stat -c %Y.%Z ${mark}.done`;
    const before = await ssh(name, when);
    await oneloop.loop("stop", name);
    await oneloop.loop("start", name);
    expect(await ssh(name, `${when}; go version`)).toMatchObject({
      stdout: `${before.stdout}${version}`,
    });
    expect(mirror.requests).toHaveLength(asked);
    await oneloop.loop("delete", name, "--force");
  }, 240_000);
});

describe("a repository with several devfiles", () => {
  const front = "devfile.yaml";
  const api = ".devfile/api.devfile.yaml";

  it("gives a program the first", async () => {
    const preview = await oneloop.loopJson<Preview>("plan", url("several"));
    expect(preview).toMatchObject({ choices: [front, api], chosen: false });
    expect(preview.configuration.path).toBe(front);
  });

  it("asks a person once, and keeps the answer", async () => {
    const terminal = spawnPty(process.execPath, [program, "open", url("several")], {
      ...{ cols: 80, rows: 24, cwd: folder, env },
    });
    let shown = "";
    let answered = false;
    terminal.onData((text) => {
      shown += text;
      if (answered || !shown.includes("Which one counts?")) return;
      answered = true;
      terminal.write("2\r");
    });
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => {
      terminal.onExit(resolve);
    });
    expect(exitCode, shown).toBe(0);
    expect(shown).toContain(`2  ${api}`);
    const preview = await oneloop.loopJson<Preview>("plan", url("several"));
    expect(preview).toMatchObject({ chosen: true, configuration: { path: api } });
    expect(preview.existing).toMatch(/^several-main-/);
    const ws = await oneloop.loopJson<WorkspaceDetail>("show", preview.existing ?? "");
    expect(ws.services.map(({ name }) => name)).toEqual(["api"]);
  });

  it("takes another where it is named, and refuses one that is not there", async () => {
    const other = await oneloop.loopJson<Preview>("plan", url("several"), "--configuration", front);
    expect(other.configuration.path).toBe(front);
    const refused = await oneloop.loop("plan", url("several"), "--configuration", "gone.yaml");
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(api);
  });
});

describe("without a control plane", () => {
  it("`loop init` writes what is found, and `loop validate` reads it", async () => {
    // Of the same name: it is where its commands run.
    const tree = join(folder, "trees/shop");
    const alone = { ...env, ONELOOP_URL: "http://127.0.0.1:9" };
    const options = { env: alone, cwd: tree };
    const made = await run(process.execPath, [program, "init"], options);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(await readFile(join(tree, "devfile.yaml"), "utf8")).toContain("npm ci");
    expect((await run(process.execPath, [program, "validate"], options)).exitCode).toBe(0);
    await writeFile(join(tree, "devfile.yaml"), "schemaVersion: 1.0.0\n");
    const wrong = await run(process.execPath, [program, "validate"], options);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stdout).toMatch(/^devfile\.yaml:1:16: unsupported-version: /);
  });
});
