import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root, run, type CommandResult } from "../../helpers/installation.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "ol-settings-"));
});
afterAll(() => rm(dataDir, { recursive: true }));

/** `npm start` of a checkout with one setting. */
function start(checkout: string, name: string, value: string): Promise<CommandResult> {
  const env = { ...process.env, CI: "true", ONELOOP_DATA_DIR: dataDir, [name]: value };
  return run(process.execPath, [join(checkout, "server/start.js"), "--yes"], { env });
}

it.each([
  ["ONELOOP_PORT", "seven"],
  ["ONELOOP_PORT", "70000"],
  ["ONELOOP_DOMAIN", "Not A Domain"],
  ["ONELOOP_ISOLATION", "maybe"],
  ["ONELOOP_CA_FILE", "relative.pem"],
  ["ONELOOP_SUBNETS", "10.0.0.0"],
  ["ONELOOP_ALLOW_NET", "10.0.0.5:443,git.example.org"],
  ["ONELOOP_SSH_BANNER", "two\nlines"],
  ["ONELOOP_SECRET_KEY", "short"],
  ["ONELOOP_LOG_LEVEL", "loud"],
  ["ONELOOP_FILE_ROOTS", "repositories"],
  ["ONELOOP_IMAGE_MAP", "postgres:16"],
  ["ONELOOP_HOST", "127.0.0.1:7700"],
  ["ONELOOP_BASE_IMAGE", "not an image"],
  ["DATABASE_URL", "mysql://127.0.0.1/theirs"],
  ["DOCKER_HOST", "tcp://10.0.0.1:2375"],
])(
  "%s=%s stops the start with one line that names it, and nothing is made",
  async (name, value) => {
    const { exitCode, stdout, stderr } = await start(root, name, value);
    expect(exitCode).toBe(1);
    const said = (stdout + stderr).split("\n").filter((line) => line.includes(name));
    expect(said, stdout + stderr).toHaveLength(1);
    expect(stdout + stderr).not.toMatch(/^ +at /m);
    expect(await readdir(dataDir)).toEqual([]);
  },
);

it("where nothing is built yet they are looked at first: no build of a minute goes before", async () => {
  const checkout = await mkdtemp(join(tmpdir(), "ol-unbuilt-"));
  try {
    await cp(join(root, "server"), join(checkout, "server"), { recursive: true });
    for (const file of ["package.json", "package-lock.json", "tsconfig.base.json"])
      await cp(join(root, file), join(checkout, file));
    await symlink(join(root, "node_modules"), join(checkout, "node_modules"));
    for (const [name, value] of [
      ["ONELOOP_HOST", "127.0.0.1:7700"],
      ["DOCKER_HOST", "tcp://10.0.0.1:2375"],
    ] as const) {
      const { exitCode, stdout } = await start(checkout, name, value);
      expect(exitCode).toBe(1);
      const lines = stdout.split("\n").map((line) => line.split(/[:(]/)[0]?.trim());
      expect(lines.slice(0, 2), stdout).toEqual(["✓ Dependencies", "✗ Settings"]);
      expect(stdout.split("\n").filter((line) => line.includes(name))).toHaveLength(1);
      expect(stdout).not.toContain("Build");
      expect(existsSync(join(checkout, "dist"))).toBe(false);
    }
  } finally {
    await rm(checkout, { recursive: true });
  }
});
