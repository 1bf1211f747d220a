import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { listenerUids } from "../../../cli/src/listener.ts";
import { Output } from "../../../cli/src/output.ts";
import { Session } from "../../../cli/src/session.ts";

const nobody = 65_534;
const program = `
  const server = require("node:net").createServer().listen(0, "127.0.0.1", () =>
    process.stdout.write(String(server.address().port)));
`;

/** A program of another user that listens; only root can start one. */
async function strangersPort(): Promise<AsyncDisposable & { port: number }> {
  const child = spawn(process.execPath, ["-e", program], {
    uid: nobody,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return {
    port: Number(port.toString()),
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, "close");
      child.kill();
      await closed;
    },
  };
}

const asRoot = process.getuid?.() === 0;

it.runIf(asRoot)(
  "names the user whose program listens, and nobody where nothing does",
  async () => {
    let port: number;
    {
      await using stranger = await strangersPort();
      port = stranger.port;
      expect(await listenerUids(port)).toEqual([nobody]);
    }
    expect(await listenerUids(port)).toEqual([]);
  },
);

it.runIf(asRoot)("the local sign-in code is not given to another user's program", async () => {
  await using stranger = await strangersPort();
  const folder = await mkdtemp(join(tmpdir(), "oneloop-code-"));
  try {
    await writeFile(join(folder, "sign-in-code"), "secret\n", { mode: 0o600 });
    const before = process.env["ONELOOP_DATA_DIR"];
    process.env["ONELOOP_DATA_DIR"] = folder;
    const url = `http://127.0.0.1:${stranger.port}`;
    const session = await Session.open(new Output(process.stdout, process.stderr), url);
    await expect(session.localCode()).rejects.toMatchObject({ code: "forbidden" });
    if (before === undefined) delete process.env["ONELOOP_DATA_DIR"];
    else process.env["ONELOOP_DATA_DIR"] = before;
  } finally {
    await rm(folder, { recursive: true });
  }
});
