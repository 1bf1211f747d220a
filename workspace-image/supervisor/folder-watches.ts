import {
  maxToldPaths,
  type FilesMessage,
  type WatchedFolder,
} from "../../server/protocol/control.ts";
import { FolderWatch } from "./folder-watch.ts";

/** Of one message: its line is at most 64 KiB, with all else that stands in it. */
const maxToldBytes = 40 * 1024;

/** Beyond it nobody wants each name any more. */
const maxUntoldPaths = 10_000;

interface Watched {
  readonly key: string;
  readonly watch: FolderWatch;
  readonly changed: Set<string>;
  readonly removed: Set<string>;
  lost: boolean;
  /** Why it is not watched; undefined: that was told. */
  unwatched: string | undefined;
}

/**
 * The folders that the control plane wants to hear of. They are watched also while it is away: what
 * happened meanwhile is told when it is back. One message is on its way at a time, and is kept until
 * it was taken.
 */
export class FolderWatches implements Disposable {
  /** There is something to tell. */
  onFiles: (() => void) | null = null;
  readonly #watched = new Map<string, Watched>();
  #told: FilesMessage | null = null;
  #isTold = false;
  #id = 0;

  /** These folders and no others. */
  watch(folders: readonly WatchedFolder[]): void {
    const wanted = new Map(folders.map((folder) => [folder.path, folder]));
    for (const [path, { key, watch }] of this.#watched) {
      if (keyOf(wanted.get(path)) === key) wanted.delete(path);
      else {
        watch[Symbol.dispose]();
        this.#watched.delete(path);
      }
    }
    for (const folder of wanted.values()) this.#watched.set(folder.path, this.#begin(folder));
  }

  /** What is to be told now; null: nothing, or the last message is still on its way. */
  next(): FilesMessage | null {
    if (this.#isTold) return null;
    this.#told ??= this.#collect();
    this.#isTold = this.#told !== null;
    return this.#told;
  }

  taken(id: number): void {
    if (this.#told?.id !== id) return;
    this.#told = null;
    this.#isTold = false;
  }

  /** The stream ended: nobody knows whether what was on its way arrived. */
  untold(): void {
    this.#isTold = false;
  }

  [Symbol.dispose](): void {
    for (const { watch } of this.#watched.values()) watch[Symbol.dispose]();
    this.#watched.clear();
  }

  #begin(folder: WatchedFolder): Watched {
    const watched: Watched = {
      key: keyOf(folder),
      watch: new FolderWatch(folder, {
        onFiles: ({ changed, removed }) => {
          for (const path of changed) {
            watched.removed.delete(path);
            watched.changed.add(path);
          }
          for (const path of removed) {
            watched.changed.delete(path);
            watched.removed.add(path);
          }
          if (watched.changed.size + watched.removed.size > maxUntoldPaths) {
            watched.changed.clear();
            watched.removed.clear();
            watched.lost = true;
          }
          this.onFiles?.();
        },
        onUnwatched: (why) => {
          watched.unwatched = why;
          this.onFiles?.();
        },
      }),
      changed: new Set(),
      removed: new Set(),
      lost: false,
      unwatched: undefined,
    };
    return watched;
  }

  #collect(): FilesMessage | null {
    for (const [folder, watched] of this.#watched) {
      const { changed, removed, lost, unwatched } = watched;
      if (changed.size + removed.size === 0 && !lost && unwatched === undefined) continue;
      const room = { bytes: maxToldBytes };
      watched.lost = false;
      watched.unwatched = undefined;
      return {
        type: "files",
        id: (this.#id += 1),
        folder,
        removed: takeSome(removed, room),
        changed: takeSome(changed, room),
        lost,
        unwatched: unwatched?.slice(0, 300) ?? null,
      };
    }
    return null;
  }
}

function keyOf(folder: WatchedFolder | undefined): string {
  return JSON.stringify(folder ?? null);
}

/** Takes as many out of a set as have room in a line. */
function takeSome(paths: Set<string>, room: { bytes: number }): string[] {
  const some: string[] = [];
  for (const path of paths) {
    const bytes = Buffer.byteLength(JSON.stringify(path)) + 1;
    if (some.length >= maxToldPaths || bytes > room.bytes) break;
    room.bytes -= bytes;
    some.push(path);
    paths.delete(path);
  }
  return some;
}
