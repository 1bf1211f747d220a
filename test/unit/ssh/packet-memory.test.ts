import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startOpenSsh } from "./openssh.ts";

/** 3 MB: of three more than the memory for packets holds. */
const last = 500_000;
const command = `seq 1 ${last}`;
const expected = createHash("sha256");
for (let number = 1; number <= last; number += 1) expected.update(`${number}\n`);
const digest = expected.digest("hex");

/** Each has a window of 2 MiB: together more than the kernel keeps for a connection. */
const channels = 12;

interface Reader {
  /** It has printed something. */
  readonly begun: Promise<void>;
  /** Its exit status, and the digest of what it printed. */
  readonly ended: Promise<string>;
}

function reader(child: ChildProcess): Reader {
  const hash = createHash("sha256");
  const begun = new Promise<void>((resolve) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      resolve();
    });
  });
  const ended = once(child, "close").then(([code]) => `${code} ${hash.digest("hex")}`);
  return { begun, ended };
}

test.each(["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"])(
  "%s: what waits for a client that does not read is not written over by others' output",
  async (cipher) => {
    await using open = await startOpenSsh();
    const path = join(open.folder, "master");
    const login = ["-c", cipher, "ws@127.0.0.1"];
    const master = open.start(["-M", "-S", path, ...login, "echo ready; cat"]);
    await once(master.stdout, "data");
    const held = Array.from({ length: channels }, () =>
      reader(open.start(["-S", path, ...login, command])),
    );
    await Promise.all(held.map(({ begun }) => begun));
    master.kill("SIGSTOP");
    const others = [1, 2, 3].map(() => reader(open.start([...login, command])).ended);
    expect(await Promise.all(others)).toEqual(others.map(() => `0 ${digest}`));
    master.kill("SIGCONT");
    const all = await Promise.all(held.map(({ ended }) => ended));
    expect(all).toEqual(held.map(() => `0 ${digest}`));
    master.stdin.end();
    await once(master, "close");
  },
);
