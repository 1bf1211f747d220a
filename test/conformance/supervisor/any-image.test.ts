import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { supervisorProtocol } from "../../../server/protocol/supervisor.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { startContainer } from "../../helpers/container.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { testImages } from "../../helpers/images.ts";
import type { SupervisorUnderTest } from "../../helpers/supervisor.ts";
import { anyImages, imageKinds, users, type AnyImages } from "./images.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

const installation = `t${randomIds.id().slice(0, 8)}`;
let images: AnyImages;

beforeAll(async () => {
  images = await anyImages(installation);
});
afterAll(() => images[Symbol.asyncDispose]());

/** The supervisor's own process on the host: the child of its init. */
async function nodePid({ initPid }: SupervisorUnderTest): Promise<number> {
  return Number(await readFile(`/proc/${initPid}/task/${initPid}/children`, "utf8"));
}

/** Runs a command with a volume at /v, and gives the first line that it prints. */
async function withVolume(volume: string, command: string): Promise<string> {
  await using running = await startContainer(docker, {
    Image: images.helper,
    Cmd: ["sh", "-c", command],
    Labels: { "oneloop.installation": installation },
    HostConfig: { Mounts: [{ Type: "volume", Source: volume, Target: "/v" }] },
  });
  return running.firstLine;
}

const shell = "/.oneloop/bin/sh";

describe.each(imageKinds)("in the %s image", (kind) => {
  test.each(users)("it serves as uid $uid, read-only, without capabilities", async (user) => {
    await using supervisor = await images.start(kind, { user });
    expect(await supervisor.hello()).toMatchObject({
      protocol: supervisorProtocol,
      boot: supervisor.boot,
    });

    const ran = await supervisor.exec({ argv: [shell, "-c", "echo hi; id -u; exit 3"] });
    expect(ran.stdout.toString()).toBe(`hi\n${user.uid}\n`);
    expect(ran.exit).toMatchObject({ code: 3, signal: null });

    const command = [shell, "-c", "echo answer $((40 + 2)); /.oneloop/bin/stty size"];
    const printed = await supervisor.terminal(command);
    expect(printed).toBe("answer 42\r\n30 100\r\n");
  });

  test.each(users)("sftp-server answers uid $uid", async (user) => {
    await using supervisor = await images.start(kind, { user });
    // SSH_FXP_INIT, version 3: length, type 1, version; SSH_FXP_VERSION is type 2.
    const init = Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 3]);
    const { stdout, stderr } = await supervisor.exec(
      { argv: ["/.oneloop/libexec/sftp-server"] },
      { stdin: init, until: (answer) => answer.length > 9 },
    );
    expect({ stderr, type: stdout[4], version: stdout.readUInt32BE(5) }).toEqual({
      stderr: "",
      type: 2,
      version: 3,
    });
  });
});

test("git clones, commits and pushes where the image has neither git nor a shell", async () => {
  await using supervisor = await images.start("empty", { env: { HOME: "/tmp" } });
  const script = `set -e
cd /tmp; export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e@x GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e@x
git init -q --bare -b main origin
git clone -q file:///tmp/origin one 2>/dev/null
cd one; echo text > file; git add file; git commit -qm first; git push -q origin HEAD
cd ..; git clone -q --recurse-submodules file:///tmp/origin two; cd two
git fetch -q; git status -sb; git log --format=%s; cat file; git submodule status`;
  const { stdout, stderr, exit } = await supervisor.exec({ argv: [shell, "-c", script] });
  expect({ stderr, code: exit.code }).toEqual({ stderr: "", code: 0 });
  expect(stdout.toString()).toBe("## main...origin/main\nfirst\ntext\n");
});

test("git says what is missing: a server that is away, an ssh that is not there", async () => {
  await using supervisor = await images.start("empty", { env: { HOME: "/tmp" } });
  const https = await supervisor.exec({ argv: ["git", "ls-remote", "https://127.0.0.1:9/x"] });
  expect(https.stderr).toContain("Failed to connect to 127.0.0.1 port 9");
  const ssh = await supervisor.exec({ argv: ["git", "ls-remote", "ssh://127.0.0.1/x"] });
  expect(ssh.stderr).toContain("cannot run ssh");
});

test("the image's LD_PRELOAD and NODE_OPTIONS reach what it starts, and not the supervisor", async () => {
  const env = { LD_PRELOAD: "/lib/marker.so", NODE_OPTIONS: "--require=/nowhere.js" };
  await using supervisor = await images.start("musl", { env });
  const { stdout } = await supervisor.exec({
    argv: ["/bin/sh", "-c", "/bin/hello; echo $NODE_OPTIONS; git --version"],
  });
  expect(stdout.toString()).toMatch(/^musl, preloaded\n--require=\/nowhere\.js\ngit version /);
  const maps = await readFile(`/proc/${await nodePid(supervisor)}/maps`, "utf8");
  expect(maps).toContain("/.oneloop/lib/libc.so.6");
  expect(maps).not.toContain("marker.so");
});

test("processes that lose their parent are reaped", async () => {
  await using supervisor = await images.start("empty");
  // The orphan holds no output; when its parent has ended, it waits for the fifo, and then ends.
  const made = await supervisor.exec({
    argv: [
      shell,
      "-c",
      "mkfifo /tmp/go; sh -c 'read _ < /tmp/go' > /dev/null 2>&1 < /dev/null & echo $!",
    ],
  });
  const orphan = Number(made.stdout.toString());
  const { exit } = await supervisor.exec({
    argv: [
      "timeout",
      "10",
      shell,
      "-c",
      `echo > /tmp/go; while [ -e /proc/${orphan} ]; do :; done`,
    ],
  });
  expect(exit).toMatchObject({ code: 0 });
});

test("the idle supervisor, with its control stream, has less than 25 MB of its own", async () => {
  await using supervisor = await images.start("empty");
  await supervisor.setup();
  using control = await supervisor.control();
  await supervisor.exec({ argv: [shell, "-c", "exit 0"] });
  await control.until(() => control.of("activity")[0]);
  const status = await readFile(`/proc/${await nodePid(supervisor)}/status`, "utf8");
  const rssAnonKilobytes = Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]);
  expect(rssAnonKilobytes).toBeLessThan(25_000);
});

test("a second preparation with nothing changed only looks", async () => {
  const tookMs = stopwatch();
  const again = await testImages(installation);
  expect(again.supervisorVolume).toBe(images.supervisorVolume);
  expect(tookMs()).toBeLessThan(1000);
});

test("a fill that was cut off is done again", async () => {
  // What a kill in the middle leaves: a volume with part of the content, and no mark.
  const other = `${installation}x`;
  const name = images.supervisorVolume.replace(installation, other);
  const labels = { "oneloop.installation": other, "oneloop.part": "supervisor" };
  await docker.createVolume({ Name: name, Labels: labels });
  await withVolume(name, "touch /v/part; echo done");
  await using filled = await testImages(other);
  expect(filled.supervisorVolume).toBe(name);
  expect(await withVolume(name, "echo $(ls /v)")).toBe("bin etc lib libexec run share");
});
