import { createHash, randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contextTar } from "../../../server/engine/docker/images/context.ts";
import { followOutput } from "../../../server/engine/docker/images/operation.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { run, type CommandResult } from "../../helpers/installation.ts";
import { SshWorld } from "../../helpers/ssh-world.ts";

let world: SshWorld;
let folder: string;

/** `default`: the default image. `bare`: an image with nothing in it. */
const workspaces = ["default", "bare"] as const;

const devfile = (image: string): string => `schemaVersion: 2.3.0
metadata: { name: bare }
components:
  - name: dev
    container: { image: "${image}" }
`;

beforeAll(async () => {
  world = await SshWorld.start();
  ({ folder } = world);
  const image = `oneloop-test/bare:${world.oneloop.id}`;
  await makeBareImage(image);
  await world.open("default");
  await world.open("bare", { "devfile.yaml": devfile(image) });
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** It has folders, because a volume has to be mounted somewhere, and not one program. */
async function makeBareImage(name: string): Promise<void> {
  const context = contextTar([
    { name: "Dockerfile", source: { content: 'FROM scratch\nCOPY empty /empty\nCMD ["none"]\n' } },
    { name: "empty", source: { content: "" } },
  ]);
  const output = await docker.buildImage(context, { t: name, version: "2" });
  await followOutput(docker, output, () => undefined);
  world.defer(() => docker.getImage(name).remove({ force: true }));
}

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function randomFile(name: string, bytes: number): Promise<{ path: string; sum: string }> {
  const path = join(folder, name);
  const content = randomBytes(bytes);
  await writeFile(path, content);
  return { path, sum: sha(content) };
}

async function sumInside(host: string, path: string): Promise<string | undefined> {
  return (await world.sh(host, `sha256sum < ~/${path}`)).split(" ")[0];
}

/** Runs a batch of sftp, which ends at its first failure. */
function sftp(host: string, batch: string, args: readonly string[] = []): Promise<CommandResult> {
  return world.run("sftp", ["-b", "-", ...args, host], batch);
}

/** rsync and sshfs take ssh with its options as one word. */
function ssh(): string {
  return `ssh -F ${world.config}`;
}

describe.each(workspaces)("sftp, in a workspace of the %s image", (host) => {
  test("speaks the extensions of OpenSSH's own server", async () => {
    const { stderr } = await sftp(host, "pwd\n", ["-vv", "-o", "LogLevel=DEBUG2"]);
    const announced = [...stderr.matchAll(/Server supports extension "([^"]+)"/g)].map(
      ([, name]) => name,
    );
    expect(announced).toEqual(
      expect.arrayContaining([
        "posix-rename@openssh.com",
        "statvfs@openssh.com",
        "hardlink@openssh.com",
        "fsync@openssh.com",
        "lsetstat@openssh.com",
        "limits@openssh.com",
        "expand-path@openssh.com",
        "copy-data",
      ]),
    );
  });

  test("puts and gets 32 MiB, byte for byte, and their times and modes", async () => {
    const { path, sum } = await randomFile("large", 32 * 1024 * 1024);
    const put = await sftp(host, `put -pf ${path} large\nget -p large ${path}.back\n`);
    expect(put).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await sumInside(host, "large")).toBe(sum);
    expect(sha(await readFile(`${path}.back`))).toBe(sum);
    const [from, back] = await Promise.all([stat(path), stat(`${path}.back`)]);
    expect({ mode: back.mode, time: Math.floor(back.mtimeMs / 1000) }).toEqual({
      mode: from.mode,
      time: Math.floor(from.mtimeMs / 1000),
    });
  });

  test("links, renames over what is there, copies inside, and tells the room on the disk", async () => {
    const { path, sum } = await randomFile("small", 1000);
    const batch = `put ${path} a\nln a hard\nln -s a soft\nput ${path} b\nrename a b\ncp b c
chmod 640 c\ndf -h\nls -l soft\nget c ${path}.c\n`;
    const { exitCode, stdout, stderr } = await sftp(host, batch);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/%Capacity\n.*\d+%/);
    expect(sha(await readFile(`${path}.c`))).toBe(sum);
    const inside = await world.sh(
      host,
      "cd; readlink soft; stat -c '%h %n' b; stat -c '%a %n' c; ls hard; test ! -e a",
    );
    expect(inside).toBe("a\n2 b\n640 c\nhard\n");
  });

  test("goes on where a transfer was cut", async () => {
    const { path, sum } = await randomFile("cut", 5_000_000);
    await world.sh(host, "head -c 2000000 > ~/cut", (await readFile(path)).subarray(0, 2_000_000));
    expect(await sftp(host, `reput ${path} cut\n`)).toMatchObject({ exitCode: 0 });
    expect(await sumInside(host, "cut")).toBe(sum);
    const half = join(folder, "half");
    await writeFile(half, (await readFile(path)).subarray(0, 3_000_000));
    expect(await sftp(host, `reget cut ${half}\n`)).toMatchObject({ exitCode: 0 });
    expect(sha(await readFile(half))).toBe(sum);
  });
});

/** By the protocol of sftp, and by scp's own of before. */
const protocols = [
  ["scp", []],
  ["scp -O", ["-O"]],
] as const;

describe.each(protocols)("%s", (_name, flags) => {
  test.each(workspaces)("copies there and back, folders and times too (%s image)", async (host) => {
    const { path, sum } = await randomFile("scp", 3_000_000);
    const there = await world.run("scp", [...flags, "-p", path, `${host}:copied`]);
    expect(there).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await sumInside(host, "copied")).toBe(sum);
    const tree = join(folder, `tree-${host}${flags.length}`);
    await mkdir(join(tree, "deep/er"), { recursive: true });
    await rename(path, join(tree, "deep/er/file"));
    const all = await world.run("scp", [...flags, "-rp", tree, `${host}:tree`]);
    expect(all).toMatchObject({ exitCode: 0, stderr: "" });
    const back = await world.run("scp", [...flags, "-rp", `${host}:tree/deep`, `${tree}-back`]);
    expect(back).toMatchObject({ exitCode: 0, stderr: "" });
    expect(sha(await readFile(`${tree}-back/er/file`))).toBe(sum);
    await world.sh(host, "cd; rm -r tree copied");
  });

  test("takes a path of the home folder, also by its tilde", async () => {
    const home = (await world.sh("default", "echo ~")).trim();
    await world.run("scp", [...flags, world.config, "default:of-home"]);
    for (const path of ["of-home", "~/of-home", `${home}/of-home`]) {
      const { exitCode } = await world.run("scp", [
        ...flags,
        `default:${path}`,
        `${folder}/of-home`,
      ]);
      expect({ path, exitCode }).toEqual({ path, exitCode: 0 });
    }
  });

  test("says what is not there, and where it may not write", async () => {
    const none = await world.run("scp", [...flags, "default:none", folder]);
    expect(none.exitCode).toBe(1);
    expect(none.stderr).toContain("none: No such file or directory");
    const closed = await world.run("scp", [...flags, world.config, "default:/etc/x"]);
    expect(closed.exitCode).toBe(1);
    expect(closed.stderr).toContain("Permission denied");
  });
});

test("scp -3 copies from one workspace to another", async () => {
  const { path, sum } = await randomFile("three", 100_000);
  await world.run("scp", [path, "default:three"]);
  const copied = await world.run("scp", ["-3", "default:three", "bare:three"]);
  expect(copied).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await sumInside("bare", "three")).toBe(sum);
});

/** Of bytes, because the last is no UTF-8. */
const oddNames: readonly Buffer[] = [
  ..."with space|quote'and\"|$(touch pwned)|-rf|*|~|ünïcode-名|back\\slash|;&|#|end ".split("|"),
  "l".repeat(255),
].map((name) => Buffer.from(name));
const noUtf8 = Buffer.from([0x66, 0xff, 0xfe, 0x6f]);
/** scp's protocol of before ends a name with it, so its client writes another name. */
const withNewline = Buffer.from("a\nb");

/** A folder with a file of each name, in which the name stands. */
async function oddFolder(name: string, more: readonly Buffer[] = []): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const each of [...oddNames, ...more]) {
    await writeFile(Buffer.concat([Buffer.from(`${path}/`), each]), each);
  }
  return path;
}

/** Names and contents, as hexadecimal. */
function listing(path: string): string[] {
  return readdirSync(path, { encoding: "buffer" })
    .map((name) => {
      const content = readFileSync(Buffer.concat([Buffer.from(`${path}/`), name]));
      return `${name.toString("hex")} ${content.toString("hex")}`;
    })
    .toSorted();
}

describe("odd file names come through and come back", () => {
  test.each([
    [
      "sftp",
      [],
      (path: string) => sftp("default", `put -r ${path} odd\nget -r odd ${path}-back\n`),
    ],
    [
      "scp",
      [noUtf8, withNewline],
      (path: string) => there(path, ["scp", "-F", world.config, "-r"]),
    ],
    ["scp -O", [noUtf8], (path: string) => there(path, ["scp", "-F", world.config, "-O", "-r"])],
    [
      "rsync",
      [noUtf8, withNewline],
      (path: string) => there(path, ["rsync", "-e", ssh(), "-r"], "/"),
    ],
  ] as const)("%s", async (name, more, copy) => {
    const path = await oddFolder(`odd ${name}`.replaceAll(" ", "-"), more);
    expect(await copy(path)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(listing(`${path}-back`)).toEqual(listing(path));
    expect(
      await world.sh("default", "cd; ls -A odd | wc -l; rm -r odd; ls pwned 2>&1 || :"),
    ).toMatch(/^\d+\nls: cannot access 'pwned'/);
  });

  async function there(
    path: string,
    [program, ...args]: readonly [string, ...string[]],
    slash = "",
  ): Promise<CommandResult> {
    const put = await run(program, [...args, `${path}${slash}`, "default:odd"]);
    if (put.exitCode !== 0 || put.stderr !== "") return put;
    return run(program, [...args, `default:odd${slash}`, `${path}-back`]);
  }
});

describe("rsync", () => {
  test("brings a tree, then only what differs, and removes what is gone", async () => {
    const tree = join(folder, "rsync");
    await mkdir(join(tree, "sub"), { recursive: true });
    const { path, sum } = await randomFile("part", 4_000_000);
    await rename(path, join(tree, "sub/part"));
    await writeFile(join(tree, "gone"), "");
    const sync = (): Promise<CommandResult> =>
      run("rsync", ["-a", "--delete", "--stats", "-e", ssh(), `${tree}/`, "default:synced/"]);
    expect(await sync()).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await sumInside("default", "synced/sub/part")).toBe(sum);
    await truncate(join(tree, "sub/part"), 3_999_999);
    await rm(join(tree, "gone"));
    const { stdout } = await sync();
    expect(
      Number(/Total bytes sent: ([\d,]+)/.exec(stdout)?.[1]?.replaceAll(",", "")),
    ).toBeLessThan(200_000);
    expect(await world.sh("default", "cd; ls synced; stat -c %s synced/sub/part")).toBe(
      "sub\n3999999\n",
    );
  });

  test("goes on where a transfer was cut", async () => {
    const { path, sum } = await randomFile("appended", 5_000_000);
    await world.sh("default", "cat > ~/appended", (await readFile(path)).subarray(0, 4_000_000));
    const args = ["--append-verify", "--stats", "-e", ssh(), path, "default:appended"];
    expect(await run("rsync", args)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await sumInside("default", "appended")).toBe(sum);
  });

  test("where the image has none, a sentence names the package", async () => {
    const { exitCode, stderr } = await run("rsync", ["-e", ssh(), world.config, "bare:"]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(
      "oneloop: This workspace's image has no rsync. Install the package rsync",
    );
  });
});

/** Why sshfs cannot mount on this machine; null when it can. */
function whyNoFuse(): string | null {
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  try {
    closeSync(openSync("/dev/fuse", "r+"));
  } catch (error) {
    return `/dev/fuse cannot be opened: ${String(error)}`;
  }
  return spawnSync("sshfs", ["--version"]).status === 0 ? null : "there is no sshfs";
}

describe("sshfs", () => {
  test("a mounted workspace reads, writes, renames and removes", async (context) => {
    const why = whyNoFuse();
    if (why !== null) context.skip(why);
    const mount = join(folder, "mount");
    await mkdir(mount);
    const mounted = await run("sshfs", ["-F", world.config, "default:", mount]);
    expect(mounted).toMatchObject({ exitCode: 0, stderr: "" });
    try {
      const content = randomBytes(5_000_000);
      await mkdir(join(mount, "by-sshfs"));
      await writeFile(join(mount, "by-sshfs/new"), content);
      await writeFile(join(mount, "by-sshfs/file"), "old");
      await rename(join(mount, "by-sshfs/new"), join(mount, "by-sshfs/file"));
      expect(sha(await readFile(join(mount, "by-sshfs/file")))).toBe(sha(content));
      await writeFile(join(mount, "by-sshfs/gone"), "");
      await rm(join(mount, "by-sshfs/gone"));
    } finally {
      await run("fusermount3", ["-u", mount]);
    }
    expect(await world.sh("default", "cd; ls by-sshfs; stat -c %s by-sshfs/file")).toBe(
      "file\n5000000\n",
    );
  });
});
