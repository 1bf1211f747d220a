import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import ssh2 from "ssh2";
import { docker } from "../helpers/engine-objects.ts";

/** Of what is measured a garbage collector makes steps of some MiB: many, so that each is small. */
export const idleSessions = 400;
/** Below what both servers let in before they have signed in. */
const atOnce = 16;
/** The control plane collects an idle heap's garbage after some seconds of rest, and once more. */
const restMs = 30_000;

/**
 * What each idle session costs the processes that serve it, in KiB of their own memory.
 *
 * @param processes of the server, asked for before and after.
 */
export async function idleMemory(
  target: { readonly host: string; readonly port: number; readonly user: string },
  folder: string,
  processes: () => Promise<number[]>,
): Promise<number> {
  const privateKey = readFileSync(join(folder, "key"));
  const hold = async (count: number): Promise<ssh2.Client[]> => {
    const clients: ssh2.Client[] = [];
    while (clients.length < count) {
      const some = Array.from({ length: Math.min(atOnce, count - clients.length) }, () =>
        idle({ ...target, username: target.user, privateKey }),
      );
      clients.push(...(await Promise.all(some)));
    }
    return clients;
  };
  // Code is compiled. Not by as many as are measured: a heap that has grown for them stays so large.
  await end(await hold(atOnce));
  await rest();
  const before = await ownKiB(await processes());
  const clients = await hold(idleSessions);
  await rest();
  const after = await ownKiB(await processes());
  await end(clients);
  return (after - before) / idleSessions;
}

/** A session whose program waits for input. */
async function idle(config: ssh2.ConnectConfig): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  client.connect({ ...config, algorithms: { kex: ["curve25519-sha256"] } });
  await once(client, "ready");
  await new Promise<void>((resolve, reject) => {
    client.exec("echo ready; exec cat", (error, channel) => {
      if (error === undefined) channel.once("data", () => resolve());
      else reject(error);
    });
  });
  return client;
}

async function end(clients: readonly ssh2.Client[]): Promise<void> {
  await Promise.all(
    clients.map((client) => {
      const closed = once(client, "close");
      client.end();
      return closed;
    }),
  );
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, restMs));
}

/** Anonymous memory of all of them: nothing that they share through a file. */
async function ownKiB(pids: readonly number[]): Promise<number> {
  const each = pids.map(async (pid) => {
    const status = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  });
  return (await Promise.all(each)).reduce((sum, kib) => sum + kib, 0);
}

/** sshd and its children, without the programs that they run, by the numbers of this machine. */
export async function sshdProcesses(container: string): Promise<number[]> {
  const { Processes, Titles } = (await docker
    .getContainer(container)
    .top({ ps_args: "-eo pid,comm" })) as { Processes: string[][]; Titles: string[] };
  const [pid, name] = [Titles.indexOf("PID"), Titles.indexOf("COMMAND")];
  return Processes.filter((row) => row[name] === "sshd").map((row) => Number(row[pid]));
}
