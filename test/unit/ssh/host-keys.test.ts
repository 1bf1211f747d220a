import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ssh2, { type ParsedKey } from "ssh2";
import { expect, test } from "vitest";
import { ensureHostKeys } from "../../../server/ssh/host-keys.ts";

const run = promisify(execFile);

test("host keys are made once, for all who ask at the same time, readable by their owner only", async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-keys-"));
  try {
    const [first, second] = await Promise.all([ensureHostKeys(folder), ensureHostKeys(folder)]);
    expect(second).toEqual(first);
    expect(await ensureHostKeys(folder)).toEqual(first);
    const names = await readdir(join(folder, "ssh"));
    expect(names.toSorted()).toEqual(["ssh_host_ed25519_key", "ssh_host_rsa_key"]);
    for (const [index, name] of names.toSorted().entries()) {
      const path = join(folder, "ssh", name);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      // OpenSSH and ssh2 must see the same key in it.
      const { stdout } = await run("ssh-keygen", ["-y", "-f", path]);
      const parsed = ssh2.utils.parseKey(first[index] ?? "") as ParsedKey;
      expect(parsed.getPublicSSH().toString("base64")).toBe(stdout.split(" ")[1]?.trim());
    }
    expect(
      (await run("ssh-keygen", ["-l", "-f", join(folder, "ssh/ssh_host_rsa_key")])).stdout,
    ).toMatch(/^3072 /);
  } finally {
    await rm(folder, { recursive: true });
  }
});
