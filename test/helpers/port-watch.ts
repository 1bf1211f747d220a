import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApi } from "../../cli/src/api.ts";
import type { WorkspacePort, WorkspaceUpdate } from "../../server/protocol/workspace.ts";
import type { Installation } from "./installation.ts";

/** The ports of a workspace as the control plane tells them, with the time of each telling. */
export class PortWatch implements Disposable {
  #told = false;
  /** Since when each port is as it is now. */
  readonly #since = new Map<number, { listening: boolean; at: number; view: WorkspacePort }>();
  #waiting: (() => void)[] = [];
  #failed: unknown = null;
  #end: () => void = () => undefined;

  /** Watches with the command line's own token. */
  static async start(oneloop: Installation, workspace: string): Promise<PortWatch> {
    const file = join(oneloop.dataDir, "config/config.json");
    const { logins } = JSON.parse(await readFile(file, "utf8")) as {
      logins: Record<string, { token: string }>;
    };
    const [login] = Object.values(logins);
    const api = await createApi(`http://127.0.0.1:${oneloop.port}`, login?.token ?? null);
    const watch = new PortWatch();
    const subscription = api.workspaces.watch.subscribe(
      { workspace },
      {
        onData: ({ data }: { data: WorkspaceUpdate }) => {
          if (data.kind === "state") watch.#tell(data.workspace.ports);
        },
        onError: (error) => {
          watch.#failed = error;
          watch.#wake();
        },
      },
    );
    watch.#end = () => subscription.unsubscribe();
    await watch.#when(() => (watch.#told ? true : null));
    return watch;
  }

  /**
   * Waits until something does, or no longer, listen on a port.
   *
   * @returns when that was told, in ms since 1970, and the port's view.
   */
  until(port: number, listening: boolean): Promise<{ at: number; view: WorkspacePort }> {
    return this.#when(() => {
      const now = this.#since.get(port);
      return now?.listening === listening ? now : null;
    });
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  async #when<Value>(look: () => Value | null): Promise<Value> {
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (this.#failed !== null) throw new Error("the watch ended", { cause: this.#failed });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #tell(ports: readonly WorkspacePort[]): void {
    const at = Date.now();
    const shared = ports.filter(({ service }) => service === null);
    for (const view of shared) {
      const before = this.#since.get(view.port);
      const changed = before?.listening !== view.listening;
      this.#since.set(view.port, {
        ...{ listening: view.listening, view },
        at: changed ? at : before.at,
      });
    }
    for (const [port, { listening, view }] of this.#since) {
      if (listening && !shared.some((one) => one.port === port)) {
        this.#since.set(port, { listening: false, at, view });
      }
    }
    this.#told = true;
    this.#wake();
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
