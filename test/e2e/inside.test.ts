import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { docker, objectsWith } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { startGitServer, type GitServer } from "../helpers/git-server.ts";
import { Installation, run, type CommandResult } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";

const secret = "a secret of the user's, 5d1c";
let folder: string;
let server: GitServer;
let oneloop: Installation;
let ws: WorkspaceDetail;
const lifetime = new Lifetime();

/** `{{greeting}}` is the devfile's own variable. */
const devfile = (libraryUrl: string): string => `schemaVersion: 2.3.0
metadata:
  name: inside
variables:
  greeting: hello from the devfile
projects:
  - name: library
    git:
      remotes:
        origin: ${libraryUrl}
    clonePath: libs/library
components:
  - name: dev
    container:
      image: oneloop/workspace:latest
      args: [sleep, infinity]
      env:
        - name: GREETING
          value: "{{greeting}}"
commands:
  - id: prepare
    exec:
      component: dev
      workingDir: \${PROJECT_SOURCE}
      commandLine: env > /tmp/task-env && pwd > /tmp/task-folder && touch /tmp/prepared
      env:
        - name: OF_TASK
          value: "yes"
  - id: broken
    exec:
      component: dev
      commandLine: exit 9
  - id: goodbye
    exec:
      component: dev
      commandLine: kill -0 $(cat ~/other) && echo "goodbye, \${GREETING}" >> ~/goodbye
events:
  postStart: [prepare, broken]
  preStop: [goodbye]
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-inside-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  await makeRepository(folder, "library", { files: { "lib.txt": "of the library\n" } });
  await makeRepository(folder, "dotfiles", {
    files: {
      "install.sh": "#!/bin/sh\necho installed > $HOME/installed-by-dotfiles\n",
      ".vimrc": "set number\n",
    },
  });
  await makeRepository(folder, "inside", {
    files: { "devfile.yaml": devfile(`file://${join(folder, "library.git")}`) },
  });
  const [host, port] = [machineAddress(), await freePort()];
  server = lifetime.own(await startGitServer({ root: folder, host, port }));
  oneloop = await Installation.start({ env: { ONELOOP_ALLOW_NET: `${host}:${port}` } });
  lifetime.own(oneloop);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  await must("keys", "add", join(folder, "key.pub"));
  await must("profile", "--name", 'Ada "the first" Example', "--email", "ada@example.org");
  await mustWith(
    `${secret}\n`,
    "variables",
    "set",
    "MY_SECRET",
    "--secret",
    "--pattern",
    "*/inside",
  );
  await mustWith("for all\n", "variables", "set", "FOR_ALL");
  await mustWith("not here\n", "variables", "set", "ELSEWHERE", "--pattern", "github.com/*");
  ws = await oneloop.loopJson<WorkspaceDetail>("open", `file://${join(folder, "inside.git")}`);
});

afterAll(() => lifetime[Symbol.asyncDispose]());

async function must(...args: string[]): Promise<void> {
  await mustWith("", ...args);
}

async function mustWith(input: string, ...args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(process.execPath, ["cli/bin/loop.js", ...args], {
    env: oneloop.env,
    input,
  });
  expect(exitCode, `loop ${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
}

function ssh(command: string): Promise<CommandResult> {
  return run("ssh", [
    ...["-F", "none", "-i", join(folder, "key"), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
    ...[`${ws.name}@localhost`, command],
  ]);
}

/** Waits inside for a file, so that nobody polls from here. */
async function untilFile(path: string): Promise<void> {
  const { exitCode } = await ssh(`timeout 60 sh -c 'until [ -e ${path} ]; do sleep 0.05; done'`);
  expect(exitCode, `${path} did not appear`).toBe(0);
}

/** The event's line, as soon as the workspace has it. */
async function untilEvent(wanted: RegExp): Promise<string> {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const { events } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    const found = events
      .map(({ code, message }) => `${code} ${message}`)
      .find((line) => wanted.test(line));
    if (found !== undefined) return found;
  }
  throw new Error(`no event is like ${wanted}`);
}

function environment(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const at = line.indexOf("=");
      return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

describe("what a workspace's programs know", () => {
  it("the devfile's variables, the user's own, and where they are: in a task", async () => {
    await untilFile("/tmp/prepared");
    const read = await ssh("cat /tmp/task-env");
    expect(environment(read.stdout)).toMatchObject({
      GREETING: "hello from the devfile",
      OF_TASK: "yes",
      MY_SECRET: secret,
      FOR_ALL: "for all",
      PROJECT_SOURCE: "/workspace/inside",
      ONELOOP_WORKSPACE_ID: ws.id,
      ONELOOP_WORKSPACE_URL: ws.url,
      ONELOOP_PORT_URL_TEMPLATE: `http://{port}-${ws.name}.localhost:${oneloop.port}`,
    });
    expect(environment(read.stdout)).not.toHaveProperty("ELSEWHERE");
    expect((await ssh("cat /tmp/task-folder")).stdout).toBe("/workspace/inside\n");
  });

  it("and in every ssh session", async () => {
    const said = environment((await ssh("env")).stdout);
    expect(said).toMatchObject({
      GREETING: "hello from the devfile",
      MY_SECRET: secret,
      ONELOOP_WORKSPACE_ID: ws.id,
      ONELOOP_WORKSPACE_URL: ws.url,
    });
  });

  it("a secret stands in no container's configuration, and is never shown again", async () => {
    const { containers } = await objectsWith(`oneloop.installation=${oneloop.id}`);
    const inspected = await Promise.all(
      containers.map((name) => docker.getContainer(name.slice(1)).inspect()),
    );
    expect(JSON.stringify(inspected)).not.toContain(secret);
    const listed = await oneloop.loop("variables", "list", "--json");
    expect(listed.stdout).toContain("MY_SECRET");
    expect(listed.stdout).not.toContain(secret);
  });

  it("a variable that is changed reaches what starts afterwards", async () => {
    await mustWith("changed\n", "variables", "set", "FOR_ALL");
    const { stdout } = await ssh(
      `timeout 20 sh -c 'until [ "$(/.oneloop/bin/loop show --json >/dev/null; printenv FOR_ALL)" = changed ]; do exit 3; done'; printenv FOR_ALL`,
    );
    expect(stdout).toBe("changed\n");
  });

  it("a task that fails is said, with its name", async () => {
    expect(await untilEvent(/task-failed .*broken/)).toMatch(/status 9/);
  });
});

describe("the repository and the person", () => {
  it("commits carry the person's name", async () => {
    const made = await ssh(
      "cd /workspace/inside && git commit -q --allow-empty -m x && git log -1 --format='%an <%ae>'",
    );
    expect(made.stdout, made.stderr).toBe('Ada "the first" Example <ada@example.org>\n');
    // The person's own configuration wins.
    const own = await ssh(
      "git config --global user.name Other && cd /workspace/inside && git commit -q --allow-empty -m y && git log -1 --format=%an; git config --global --unset user.name",
    );
    expect(own.stdout).toBe("Other\n");
  });

  it("a project of the devfile is checked out beside the repository", async () => {
    const read = await ssh(
      "cat /workspace/libs/library/lib.txt && git -C /workspace/libs/library status --porcelain --branch",
    );
    expect(read.stdout, read.stderr).toBe("of the library\n## main...origin/main\n");
  });

  it("and what is only there is not deleted unasked", async () => {
    await ssh("echo new > /workspace/libs/library/new.txt");
    const refused = await oneloop.loop("delete", ws.name);
    await ssh("rm /workspace/libs/library/new.txt");
    expect(refused.stderr).toContain("1 uncommitted change");
  });

  it("what the checkout's configuration names runs nowhere but inside, and hides nothing", async () => {
    const library = "/workspace/libs/library";
    const mark = join(folder, "ran");
    // It tells git that no file has changed since the last time.
    const monitor = ["#!/bin/sh", `mkdir -p ${folder}; touch ${mark}`, 'printf "token\\0"'];
    const said = await ssh(
      `set -e; cd ${library}
       printf '%s\\n' ${monitor.map((line) => `'${line}'`).join(" ")} > .git/monitor
       chmod +x .git/monitor
       git config core.fsmonitor .git/monitor
       git config core.fsmonitorHookVersion 2
       git status --short; git status --short; echo changed > lib.txt; git status --short
       ls ${mark}`,
    );
    expect(said.stdout, said.stderr).toBe(`${mark}\n`);
    const refused = await oneloop.loop("delete", ws.name);
    expect(refused.stderr).toContain("1 uncommitted change");
    expect(existsSync(mark)).toBe(false);
    await ssh(`cd ${library} && git config --unset core.fsmonitor && git checkout -q lib.txt`);
  });
});

describe("a repository on this machine whose own configuration names programs", () => {
  it("is opened and looked at, and none of them runs on this machine", async () => {
    const name = "trapped";
    const { path } = await makeRepository(folder, name, {
      files: { ".gitattributes": "* filter=trap\n", "file.txt": "text\n" },
    });
    const tree = join(folder, "tree");
    await git(folder, "clone", "--quiet", path, tree);
    const marks = join(folder, "marks");
    await mkdir(marks);
    const trap = async (place: string, also = ""): Promise<string> => {
      const text = `#!/bin/sh\ntouch ${marks}/${basename(place)}\n${also}\n`;
      await writeFile(join(tree, ".git", place), text, { mode: 0o755 });
      return join(tree, ".git", place);
    };
    await git(tree, "config", "core.fsmonitor", await trap("fsmonitor"));
    await git(tree, "config", "uploadpack.packObjectsHook", await trap("pack"));
    const filter = await trap("filter", "cat");
    for (const side of ["clean", "smudge"])
      await git(tree, "config", `filter.trap.${side}`, filter);
    for (const hook of ["post-checkout", "pre-commit"]) await trap(join("hooks", hook));

    const url = `file://${tree}`;
    expect((await oneloop.loop("plan", url)).exitCode).toBe(0);
    const opened = await oneloop.loopJson<WorkspaceDetail>("open", url);
    expect(opened).toMatchObject({ state: "running", branch: "main" });
    await oneloop.loopJson("list");
    await must("stop", opened.name);
    await must("delete", opened.name);
    expect(await readdir(marks)).toEqual([]);

    // They are no empty threat: here git runs each, but for the one that it takes from nobody.
    await writeFile(join(tree, "file.txt"), "changed\n");
    await git(tree, "commit", "--quiet", "--all", "--message", "x");
    await git(tree, "checkout", "--quiet", "-b", "other");
    expect((await readdir(marks)).toSorted()).toEqual([
      ...["filter", "fsmonitor", "post-checkout", "pre-commit"],
    ]);
  });
});

describe("`loop` inside, without a sign-in", () => {
  it("gives addresses and shows the workspace", async () => {
    const url = await ssh("loop url 3000");
    expect(url.stdout.trim(), url.stderr).toBe(`http://3000-${ws.name}.localhost:${oneloop.port}/`);
    const shown = await ssh("loop show --json");
    expect(JSON.parse(shown.stdout)).toMatchObject({ id: ws.id, name: ws.name });
  });

  it("lists what listens", async () => {
    const ports = await ssh(
      `node -e 'require("http").createServer().listen(4567, "127.0.0.1", () => {
         const { execFileSync } = require("child_process");
         const until = Date.now() + 20000;
         for (;;) {
           const said = execFileSync("loop", ["ports", "--json"]).toString();
           if (said.includes("4567") || Date.now() > until) { console.log(said); process.exit(); }
         }
       })'`,
    );
    expect(ports.stdout, ports.stderr).toContain(`http://4567-${ws.name}.localhost`);
  });

  it("stops the workspace, and keeps what is in it; before anything ends, preStop runs", async () => {
    const other = "setsid sleep infinity > /dev/null 2>&1 < /dev/null & echo $! > ~/other";
    const said = await ssh(`echo kept > ~/kept; ${other}; cat ~/goodbye`);
    expect(said.stderr).toContain("No such file");
    await ssh("loop stop");
    // The session ends with the workspace's programs, before the last of it is taken down.
    await expect
      .poll(() => oneloop.loopJson<WorkspaceDetail>("show", ws.name), { timeout: 60_000 })
      .toMatchObject({ state: "stopped" });
    await must("start", ws.name);
    const { stdout } = await ssh("cat ~/kept ~/goodbye");
    expect(stdout).toBe("kept\ngoodbye, hello from the devfile\n");
  });
});

describe("dotfiles", () => {
  it("that cannot be had do not stop the workspace, and say so", async () => {
    await must("delete", ws.name, "--force");
    await must("profile", "--dotfiles", `file://${join(folder, "dotfiles.git")}`);
    ws = await oneloop.loopJson<WorkspaceDetail>("open", `file://${join(folder, "inside.git")}`);
    // The folder is on this machine, and not in the workspace: the failure is seen.
    expect(await untilEvent(/task-failed .*dotfiles/)).toMatch(/status 1/);
    expect((await ssh("ls ~/.dotfiles 2>&1")).stdout).toMatch(/No such file/);
  });

  it("are cloned, and their install script is run", async () => {
    await must("delete", ws.name, "--force");
    await must("profile", "--dotfiles", server.url("dotfiles.git"));
    ws = await oneloop.loopJson<WorkspaceDetail>("open", `file://${join(folder, "inside.git")}`);
    await untilFile("~/installed-by-dotfiles");
    expect((await ssh("cat ~/installed-by-dotfiles ~/.dotfiles/.vimrc")).stdout).toBe(
      "installed\nset number\n",
    );
  });
});
