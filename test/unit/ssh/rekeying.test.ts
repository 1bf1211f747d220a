import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { expect, test } from "vitest";
import { startOpenSsh } from "./openssh.ts";

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The client says, at this level of its log, when keys are new. */
const exchanges = (log: string): number => log.split("SSH2_MSG_NEWKEYS received").length - 1;

test.each(["-c aes128-gcm@openssh.com", "-c chacha20-poly1305@openssh.com", "-c aes128-ctr", "-C"])(
  "the gateway makes new keys after so many bytes, under load both ways (ssh %s)",
  async (choice) => {
    await using open = await startOpenSsh("ed25519", undefined, {
      rekey: { bytes: 1024 * 1024, ms: 3_600_000 },
    });
    const bytes = randomBytes(16 * 1024 * 1024);
    const options = ["-v", ...choice.split(" ")];
    const { code, stdout, stderr } = await open.ssh([...options, "ws@127.0.0.1", "cat"], bytes);
    expect(code).toBe(0);
    expect(sha(stdout)).toBe(sha(bytes));
    expect(exchanges(stderr)).toBeGreaterThan(10);
  },
);

test("both sides may begin at once", async () => {
  await using open = await startOpenSsh("ed25519", undefined, {
    rekey: { bytes: 256 * 1024, ms: 3_600_000 },
  });
  const bytes = randomBytes(4 * 1024 * 1024);
  const { code, stdout } = await open.ssh(["-o", "RekeyLimit=256K", "ws@127.0.0.1", "cat"], bytes);
  expect(code).toBe(0);
  expect(sha(stdout)).toBe(sha(bytes));
});

test("and after some time, for a connection on which nothing is said", async () => {
  await using open = await startOpenSsh("ed25519", undefined, { rekey: { bytes: 1e9, ms: 50 } });
  const child = open.start(["-v", "ws@127.0.0.1", "cat"]);
  let log = "";
  for await (const piece of child.stderr) {
    log += String(piece);
    if (exchanges(log) >= 4) break;
  }
  child.stdin.end("still there");
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(said.toString()).toBe("still there");
});
