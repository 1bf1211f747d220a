import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "../helpers/ports.ts";
import type { Cipher, Side } from "./ssh-peers.ts";

const mebibyte = 1024 * 1024;

/** What each line needs beside its side. */
export interface Ground {
  /** In memory: what is read and written there costs no disk. */
  readonly folder: string;
  readonly streamBytes: number;
  readonly fileBytes: number;
  readonly smallFiles: number;
}

/** MB/s of so many bytes in so many ms. */
function rate(bytes: number, ms: number): number {
  return bytes / 1000 / ms;
}

export async function down(side: Side, cipher: Cipher, { streamBytes }: Ground): Promise<number> {
  const line = `$SSH $DESTINATION 'head -c ${streamBytes} /dev/zero' > /dev/null`;
  return rate(streamBytes, await side.timeShell(line, { cipher }));
}

export async function up(side: Side, cipher: Cipher, { streamBytes }: Ground): Promise<number> {
  const line = `head -c ${streamBytes} /dev/zero | $SSH $DESTINATION 'cat > /dev/null'`;
  return rate(streamBytes, await side.timeShell(line, { cipher }));
}

/** What `sftp` and `rsync` move, made on the far side once, and on this one. */
export async function makeFiles(side: Side, ground: Ground): Promise<void> {
  const small = `mkdir -p /tmp/small && cd /tmp/small && for d in $(seq 0 99); do mkdir -p d$d; done`;
  const each = `for f in $(seq 0 ${ground.smallFiles - 1}); do printf '%01000d' $f > d$((f % 100))/f$f; done`;
  await side.time(`head -c ${ground.fileBytes} /dev/zero > /tmp/large; ${small}; ${each}`);
  const file = await open(join(ground.folder, "large"), "w");
  try {
    const piece = Buffer.alloc(mebibyte);
    for (let at = 0; at < ground.fileBytes; at += piece.length) await file.write(piece);
  } finally {
    await file.close();
  }
}

async function sftp(side: Side, command: string, folder: string): Promise<number> {
  const args = [...side.options(), "-q", "-b", "-", side.destination];
  return side.timeProgram("sftp", args, `lcd ${folder}\n${command}\n`);
}

export async function sftpGet(side: Side, { folder, fileBytes }: Ground): Promise<number> {
  return rate(fileBytes, await sftp(side, "get /tmp/large got", folder));
}

export async function sftpPut(side: Side, { folder, fileBytes }: Ground): Promise<number> {
  // Their disks are one disk: what it does would be measured with both.
  return rate(fileBytes, await sftp(side, "put large /dev/null", folder));
}

export async function sftpTree(side: Side, { folder }: Ground): Promise<number> {
  const took = await sftp(side, "get -r /tmp/small tree", folder);
  await rm(join(folder, "tree"), { recursive: true });
  return took;
}

export async function rsyncTree(side: Side, { folder }: Ground): Promise<number> {
  await mkdir(join(folder, "tree"));
  const line = `rsync -a -e "$SSH" $DESTINATION:/tmp/small/ ${folder}/tree/`;
  const took = await side.timeShell(line);
  await rm(join(folder, "tree"), { recursive: true });
  return took;
}

/** A program inside that sends so many bytes to each that connects. */
export async function startSource(
  side: Side,
  { streamBytes }: Ground,
): Promise<{ port: number } & AsyncDisposable> {
  const port = await freePort();
  const program = `
    const piece = Buffer.alloc(262144);
    require("net").createServer((socket) => {
      let left = ${streamBytes};
      socket.on("error", () => socket.destroy());
      const write = () => {
        while (left > 0) {
          const length = Math.min(left, piece.length);
          left -= length;
          if (!socket.write(piece.subarray(0, length))) return socket.once("drain", write);
        }
        socket.end();
      };
      write();
    }).listen(8899, "127.0.0.1", () => console.log("ready"));
    process.stdin.on("end", () => process.exit()).resume();`;
  const forward = ["-L", `127.0.0.1:${port}:127.0.0.1:8899`];
  const child = side.start(`exec node -e '${program}'`, { options: forward });
  child.stderr?.pipe(process.stderr);
  if (child.stdout === null) throw new Error("no output");
  await once(child.stdout, "data");
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, "close");
      child.stdin?.end();
      await closed;
    },
  };
}

/** @returns MB/s of one forwarded connection, read to its end. */
export async function forwarded(port: number, { streamBytes }: Ground): Promise<number> {
  const began = performance.now();
  let received = 0;
  const socket = connect({
    port,
    host: "127.0.0.1",
    onread: {
      buffer: Buffer.alloc(256 * 1024),
      callback: (length) => {
        received += length;
        return true;
      },
    },
  });
  await once(socket, "close");
  if (received !== streamBytes) throw new Error(`${received} of ${streamBytes} bytes came`);
  return rate(streamBytes, performance.now() - began);
}

/** Apart enough for each keystroke to meet another moment. */
const keystrokeEveryMs = 15;

/** What another session does meanwhile, to nowhere: no byte of it passes through us. */
const bulkOf = {
  down: "echo started >&2; exec cat /dev/zero",
  up: "echo started >&2; exec cat > /dev/null",
} as const;

/**
 * The echo of each of so many keystrokes, in ms, while another session of the same side moves all
 * that it can.
 */
export async function echoBesideBulk(
  side: Side,
  direction: keyof typeof bulkOf,
  keystrokes: number,
): Promise<number[]> {
  const zeros = openSync("/dev/zero", "r");
  const nowhere = openSync("/dev/null", "w");
  const bulk = side.start(bulkOf[direction], {}, [zeros, nowhere, "pipe"]);
  const typing = side.start("stty -icanon; echo ready; exec cat > /dev/null", { options: ["-tt"] });
  closeSync(zeros);
  closeSync(nowhere);
  const { stdin, stdout } = typing;
  if (stdin === null || stdout === null || bulk.stderr === null) throw new Error("no pipes");
  const samples: number[] = [];
  try {
    await Promise.all([once(bulk.stderr, "data"), once(stdout, "data")]);
    for (let at = 0; at < keystrokes; at += 1) {
      await new Promise((resolve) => setTimeout(resolve, keystrokeEveryMs));
      const began = performance.now();
      stdin.write("x");
      await once(stdout, "data");
      samples.push(performance.now() - began);
    }
  } finally {
    for (const child of [bulk, typing]) {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    }
  }
  return samples;
}
