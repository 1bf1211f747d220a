import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { run } from "../../helpers/installation.ts";
import { SshWorkspace } from "../../helpers/ssh-workspace.ts";

/** How much goes through a pipe in each direction: more than every window and buffer on its way. */
const bulkMiB = Number(process.env["ONELOOP_TEST_SSH_BULK_MIB"] ?? 64);

const channels = 200;

/** Each is a program of its own here, which takes more of a machine than the gateway does. */
const connections = Number(process.env["ONELOOP_TEST_SSH_CONNECTIONS"] ?? 500);

/** More at a time would only wait for each other on a small machine. */
const startsAtATime = 12;

vi.setConfig({ testTimeout: 120_000 });

let at: SshWorkspace;
beforeAll(async () => {
  at = await SshWorkspace.start();
});
afterAll(() => at?.[Symbol.asyncDispose]());

/** Starts sessions that say something and wait; then ends them all, and looks at what each gave. */
async function holdAtOnce(
  count: number,
  start: (index: number) => ChildProcessWithoutNullStreams,
): Promise<void> {
  const sessions: { child: ChildProcessWithoutNullStreams; closed: Promise<unknown[]> }[] = [];
  const startNext = async (): Promise<void> => {
    while (sessions.length < count) {
      const child = start(sessions.length);
      sessions.push({ child, closed: once(child, "close") });
      let errors = "";
      child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      const up = once(child.stdout, "data");
      const ended = once(child, "close").then(([code]) => {
        throw new Error(`a session ended with ${code}: ${errors}`);
      });
      const [said] = (await Promise.race([up, ended])) as [Buffer];
      ended.catch(() => undefined);
      expect(said.toString()).toBe("up\n");
    }
  };
  await Promise.all(Array.from({ length: startsAtATime }, startNext));
  // All of them are there now, each with its program.
  const running = await at.ssh("pgrep -fc 'sleepless[ ]session'");
  expect(Number(running.stdout)).toBe(count);
  for (const { child } of sessions) child.stdin.end("in\n");
  const codes = await Promise.all(sessions.map(async ({ closed }) => (await closed)[0]));
  expect(new Set(codes)).toEqual(new Set([7]));
}

/** Says `up`, and ends with 7 when it has read its input to the end. */
const waiting =
  "exec bash -c 'echo up; read -r word; [ \"$word\" = in ] && exit 7' 'sleepless session'";

test(`one connection carries ${channels} sessions at once`, async () => {
  const socket = join(at.folder, "master");
  const shared = ["-o", `ControlPath=${socket}`];
  const master = at.spawn("echo up; cat", ["-M", ...shared]);
  await once(master.stdout, "data");
  await holdAtOnce(channels, () => at.spawn(waiting, [...shared, "-o", "ControlMaster=no"]));
  master.stdin.end();
  expect((await once(master, "close"))[0]).toBe(0);
});

test(`a person has ${connections} connections at once`, async () => {
  await holdAtOnce(connections, () => at.spawn(waiting));
});

test("`cat > file` takes a large file whole", async () => {
  const big = randomBytes(bulkMiB * 1024 * 1024);
  const { exitCode, stdout } = await at.ssh("cat > ~/big && sha256sum < ~/big", { input: big });
  const sum = createHash("sha256").update(big).digest("hex");
  expect({ exitCode, sum: stdout.split(" ")[0] }).toEqual({ exitCode: 0, sum });
});

test("`tar` through ssh is byte-exact in both directions", async () => {
  const ssh = ["ssh", ...at.options(), at.host].map((word) => `'${word}'`).join(" ");
  // What goes in is named by its hash, and what comes out is hashed where it arrives.
  const script = `
    set -eu -o pipefail; cd "$1"; rm -rf tree; mkdir -p tree/sub
    head -c $2 /dev/urandom > tree/sub/big; head -c 100000 /dev/urandom > tree/'odd name'
    tar c tree | ${ssh} 'rm -rf ~/got; mkdir ~/got; tar x -C ~/got'
    ${ssh} 'cd ~/got/tree; find . -type f | sort | xargs -d "\\n" sha256sum' > there
    mkdir back; ${ssh} 'tar c -C ~/got tree' | tar x -C back
    for folder in tree back/tree; do
      (cd $folder; find . -type f | sort | xargs -d "\\n" sha256sum) | cmp - there
    done
    wc -l < there`;
  const size = String(bulkMiB * 1024 * 1024);
  const done = await run("bash", ["-c", script, "bash", at.folder, size]);
  expect(done).toEqual({ exitCode: 0, stdout: "2\n", stderr: "" });
});
