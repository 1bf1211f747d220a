import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { schemePorts } from "./engines.ts";
import { nameOf } from "./pair.ts";
import type { Pair } from "./pair.ts";

/** A place in a text that leads to a service, or to nobody. */
export interface Reference {
  readonly host: string;
  /** As it is written; null: none is, and the scheme has none. */
  readonly port: number | null;
  /** Null: no service of this side has the name. */
  readonly target: Target | null;
  /** Whether it can be nothing but an address: `scheme://host`, `host:port`. */
  readonly certain: boolean;
}

interface Target {
  /** The pair's name: the same on both sides. Null: the name leads out of the source. */
  readonly pair: string | null;
  /** Where the port leads; null: it is not known, or none is given. */
  readonly targetPort: number | null;
  /** The service's own name leads only to listed ports, and this is none of them. */
  readonly refused: boolean;
}

interface Named {
  readonly pair: string | null;
  readonly ports: readonly { readonly port: number; readonly targetPort: number }[];
}

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?";
const address = new RegExp(
  String.raw`(?:([a-z][a-z0-9+.-]*):\/\/(?:[^\s/@,]*@)?|@|\/\/)?(?<![\w.-])(${label}(?:\.${label})*)(?::(\d{1,5}))?(?![\w:]|\.\w)`,
  "gi",
);

/** What makes more of a text than words: where none of it stands, a name is one only as a whole. */
const marks = /[:@/]/;
const name = new RegExp(`^${label}(?:\\.${label})*$`);
const separators = /[,;\s]+/;

/** Names that are always somebody: the container itself, the machine, an address in numbers. */
const elsewhere =
  /^(?:localhost|host\.docker\.internal|\d+(?:\.\d+){3}|.*\.local(?:host|domain))$/i;

/** What the names of one side lead to. */
export class Addresses {
  readonly #names = new Map<string, Named>();

  constructor(model: SourceModel, pairs: readonly Pair[], side: "a" | "b") {
    const main = new Map<string, string>();
    for (const pair of pairs) {
      const service = pair[side];
      if (service !== null) main.set(nameOf(service), pair.name);
    }
    for (const service of model.services) this.#add(service, main);
    for (const each of model.externalNames ?? []) {
      if (each.known) this.#names.set(each.value.name.toLowerCase(), { pair: null, ports: [] });
    }
  }

  #add(service: SourceService, pairOf: ReadonlyMap<string, string>): void {
    const own = nameOf(service);
    const pair = pairOf.get(own) ?? own;
    const names = service.names.flatMap((each) => (each.known ? [each.value] : []));
    for (const { name, ports } of names) {
      this.#names.set(name.toLowerCase(), { pair, ports: [...ports] });
    }
    // Where a source gives no names at all, services are called by their own.
    if (names.length === 0) this.#names.set(own.toLowerCase(), { pair, ports: [] });
  }

  #find(host: string): Named | null {
    const name = host.toLowerCase();
    const found = this.#names.get(name);
    if (found !== undefined) return found;
    const [first = "", namespace, svc] = name.split(".");
    // The namespace may be the one that `kubectl` was told.
    return namespace !== undefined && svc === "svc" ? (this.#names.get(first) ?? null) : null;
  }

  /** All places of a text that lead, or seem to lead, to a service. */
  references(text: string): Reference[] {
    // Most values are words, and an environment has thousands of them.
    if (!marks.test(text)) return this.#named(text);
    return Array.from(text.matchAll(address), (match) => this.#reference(match, text)).filter(
      ({ target, certain }) => target !== null || certain,
    );
  }

  /**
   * The text with each name of a service replaced by what it leads to: two texts of two sides that
   * are the same then mean the same.
   *
   * @param withPorts Without, what differs only in a service's port is the same.
   */
  meaning(text: string, withPorts = true): string {
    return text.replaceAll(address, (...found) => {
      const groups = found.slice(0, 4) as [string, string?, string?, string?];
      const { target, host, port } = this.#reference(groups, text);
      if (target?.pair === null || target === null) return groups[0];
      const end = host.length + (groups[3] === undefined ? 0 : groups[3].length + 1);
      const before = groups[0].slice(0, groups[0].length - end);
      if (!withPorts) return `${before}\u0001${target.pair}`;
      return `${before}\u0001${target.pair}:${target.targetPort ?? port ?? ""}`;
    });
  }

  /** `references` of a text without marks. */
  #named(text: string): Reference[] {
    const words = separators.test(text) ? text.split(separators) : [text];
    return words
      .filter((word) => this.#find(word) !== null && name.test(word))
      .map((word) => this.#reference([word, undefined, word], text));
  }

  #reference(groups: readonly (string | undefined)[], text: string): Reference {
    const [whole = "", scheme, host = "", written] = groups;
    const port =
      written === undefined ? (schemePorts[scheme?.toLowerCase() ?? ""] ?? null) : Number(written);
    const marked = scheme !== undefined || whole.startsWith("@") || whole.startsWith("//");
    // A word alone is a name only where nothing else stands, or in a list.
    const alone = text.split(separators).includes(whole);
    const named = this.#find(host);
    const certain =
      (scheme !== undefined || written !== undefined) &&
      !host.includes(".") &&
      !elsewhere.test(host);
    if (named === null || !(marked || written !== undefined || alone)) {
      return {
        host,
        port,
        target: null,
        certain: certain && (scheme !== undefined || alone) && /[a-z]/i.test(host),
      };
    }
    const lead = named.ports.find((each) => each.port === port);
    return {
      host,
      port,
      certain: true,
      target: {
        pair: named.pair,
        targetPort: lead?.targetPort ?? (named.ports.length === 0 ? port : null),
        refused: named.ports.length > 0 && port !== null && lead === undefined,
      },
    };
  }
}
