import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { docker } from "./engine-objects.ts";
import { freePort } from "./ports.ts";

/** Who a private registry lets in. The file has bcrypt's hash of the password, and nothing else. */
export const registryUser = { username: "ada", password: "secret-of-ada" };
const passwords = "ada:$2b$05$abcdefghijklmnopqrstuu5h.nhmsAZIXdJeYlFUwqB2sotrz5yfS\n";

/** Debian's docker-registry on this machine, in front of a folder of its own. */
export class TestRegistry implements AsyncDisposable {
  /** As in a reference: `127.0.0.1:<port>`, which an engine takes without TLS. */
  readonly host: string;
  /** What was asked of it, as `GET /v2/…`. */
  readonly requests: string[] = [];
  readonly #folder: string;
  #child: ChildProcess | null = null;
  readonly #pushed = new Set<string>();

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.host = `127.0.0.1:${port}`;
  }

  static async start({ isPrivate }: { isPrivate: boolean }): Promise<TestRegistry> {
    const folder = await mkdtemp(join(tmpdir(), "oneloop-registry-"));
    const registry = new TestRegistry(folder, await freePort());
    const auth = { htpasswd: { realm: "test", path: join(folder, "htpasswd") } };
    const config = {
      version: "0.1",
      log: { level: "info" },
      storage: { filesystem: { rootdirectory: join(folder, "data") } },
      http: { addr: registry.host },
      ...(isPrivate ? { auth } : {}),
    };
    await writeFile(join(folder, "htpasswd"), passwords);
    // JSON is YAML, too.
    await writeFile(join(folder, "config.yml"), JSON.stringify(config));
    await registry.resume();
    return registry;
  }

  async resume(): Promise<void> {
    const child = spawn("docker-registry", ["serve", join(this.#folder, "config.yml")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    createInterface(child.stdout).on("line", (line) => {
      const request = /"((?:GET|HEAD|PUT|POST|PATCH) [^" ]+)/.exec(line)?.[1];
      if (request !== undefined) this.requests.push(request);
    });
    for await (const line of createInterface(child.stderr)) {
      if (line.includes("listening on")) break;
    }
    // Read on, or it would wait for somebody to.
    child.stderr.resume();
  }

  async stop(): Promise<void> {
    if (this.#child === null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
    this.#child = null;
  }

  /** Gives it an image with one file and a command; the engine has none of it afterwards. */
  async push(name: string, content: string): Promise<string> {
    const ref = `${this.host}/${name}`;
    await importImage(ref, content);
    const authconfig = { ...registryUser, serveraddress: this.host };
    await done(await docker.getImage(ref).push({ authconfig }));
    await this.forget(ref);
    this.#pushed.add(ref);
    return ref;
  }

  /** Takes an image away from the engine. */
  async forget(ref: string): Promise<void> {
    await docker
      .getImage(ref)
      .remove({ force: true })
      .catch((error: unknown) => {
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ref of this.#pushed) await this.forget(ref);
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** An image with nothing but a file `/word`. */
export async function importImage(ref: string, content: string): Promise<void> {
  const files = pack();
  files.entry({ name: "word" }, content);
  files.finalize();
  const colon = ref.lastIndexOf(":");
  const name = { repo: ref.slice(0, colon), tag: ref.slice(colon + 1) };
  const importing: unknown = await docker.importImage(Readable.from(files), name);
  await done(importing as NodeJS.ReadableStream);
}

function done(stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error: Error | null) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
