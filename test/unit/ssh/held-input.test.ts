import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { startOpenSsh } from "./openssh.ts";

test.each(["sleep 1000", "cat /dev/zero"])(
  "a program that takes no input (%s) is told to end when its client is gone, however much waits",
  async (program) => {
    await using open = await startOpenSsh();
    const child = open.start(["ws@127.0.0.1", `echo $$; exec ${program}`]);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    const pid = Number(first.toString("latin1").split("\n", 1)[0]);
    child.stdout.resume();
    // More than all windows and buffers on the way; some of it stays here.
    child.stdin.write(Buffer.alloc(64 * 1024 * 1024));
    for (let before = -1; before !== child.stdin.writableLength;) {
      before = child.stdin.writableLength;
      // Each is a whole connection: what could be taken has been taken meanwhile.
      for (let at = 0; at < 3; at += 1) await open.ssh(["ws@127.0.0.1", "true"]);
    }
    child.kill("SIGKILL");
    await once(child, "close");
    while (existsSync(`/proc/${pid}`)) await open.ssh(["ws@127.0.0.1", "true"]);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  },
);
