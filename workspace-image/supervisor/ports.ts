import { join } from "node:path";
import { maxDetectedPorts, type DetectedPort } from "../../server/protocol/control.ts";
import { isSupervisorPort } from "../../server/protocol/supervisor.ts";
import { ListeningTable, type ListeningSocket } from "./listening.ts";
import { ownersOf } from "./socket-owners.ts";

/** The ports on which something in this network namespace listens, but for supervisors' own. */
export class Ports implements Disposable {
  readonly #ownPort: () => number;
  readonly #v4: ListeningTable;
  readonly #v6: ListeningTable;
  /** By inode: a program is looked for when its socket is new, and only then. */
  #names = new Map<number, string | null>();
  #list: readonly DetectedPort[] = [];

  /** @param procNet the folder of this network namespace, such as /proc/net. */
  constructor(ownPort: () => number, procNet: string) {
    this.#ownPort = ownPort;
    this.#v4 = new ListeningTable(join(procNet, "tcp"), 8);
    this.#v6 = new ListeningTable(join(procNet, "tcp6"), 32);
  }

  /** By number. */
  get list(): readonly DetectedPort[] {
    return this.#list;
  }

  /** Whether the list changed since the last look. */
  look(): boolean {
    const changes = [this.#v4.look(), this.#v6.look()];
    if (!changes.includes(true)) return false;
    const own = this.#ownPort();
    const sockets = [...this.#v4.sockets, ...this.#v6.sockets].filter(
      ({ port }) => port !== own && !isSupervisorPort(port),
    );
    this.#name(sockets);
    const byPort = new Map<number, string | null>();
    for (const { port, inode } of sockets) {
      byPort.set(port, byPort.get(port) ?? this.#names.get(inode) ?? null);
    }
    const list = [...byPort]
      .sort(([a], [b]) => a - b)
      .slice(0, maxDetectedPorts)
      .map(([port, process]) => ({ port, process }));
    const changed = !same(list, this.#list);
    this.#list = list;
    return changed;
  }

  [Symbol.dispose](): void {
    this.#v4[Symbol.dispose]();
    this.#v6[Symbol.dispose]();
  }

  #name(sockets: readonly ListeningSocket[]): void {
    const fresh = new Set(
      sockets.map(({ inode }) => inode).filter((inode) => !this.#names.has(inode)),
    );
    const owners = fresh.size === 0 ? new Map<number, string>() : ownersOf(fresh);
    this.#names = new Map(
      sockets.map(({ inode }) => [inode, this.#names.get(inode) ?? owners.get(inode) ?? null]),
    );
  }
}

function same(a: readonly DetectedPort[], b: readonly DetectedPort[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ port, process }, index) => {
      const other = b[index];
      return port === other?.port && process === other.process;
    })
  );
}
