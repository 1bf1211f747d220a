import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root, run } from "../../helpers/installation.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "ol-settings-"));
});
afterAll(() => rm(dataDir, { recursive: true }));

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
  ["DOCKER_HOST", "tcp://10.0.0.1:2375"],
])(
  "%s=%s stops the start with one line that names it, and nothing is made",
  async (name, value) => {
    const env = { ...process.env, CI: "true", ONELOOP_DATA_DIR: dataDir, [name]: value };
    const start = [join(root, "server/start.js"), "--yes"];
    const { exitCode, stdout, stderr } = await run(process.execPath, start, { env });
    expect(exitCode).toBe(1);
    const said = (stdout + stderr).split("\n").filter((line) => line.includes(name));
    expect(said, stdout + stderr).toHaveLength(1);
    expect(stdout + stderr).not.toMatch(/^ +at /m);
    expect(await readdir(dataDir)).toEqual([]);
  },
);
