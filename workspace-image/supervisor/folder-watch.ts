import { watch, type FSWatcher } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { WatchedFolder } from "../../server/protocol/control.ts";

/**
 * An editor writes a file in several steps, and a checkout many files: it is told when it was quiet
 * for so long …
 */
const quietMs = 12;

/** … or when it has been going on for so long. */
const mostMs = 250;

/**
 * The kernel counts watched folders for each user of the machine, over all workspaces (192,536 is a
 * usual limit): one workspace takes no more than these.
 */
const maxFolders = 4000;

/** What no message has room for. */
const maxPathLength = 2000;

/** What Node makes of a name that is no UTF-8: the file of that name is another. */
const replacement = "�";

export interface FolderListener {
  /** What was a folder and is gone ends with a slash. */
  readonly onFiles: (what: { changed: readonly string[]; removed: readonly string[] }) => void;
  /** It is not watched, or not all of it. */
  readonly onUnwatched: (why: string) => void;
}

/**
 * Watches a folder with all that is in it, by the kernel's inotify: nothing polls, and links are not
 * followed. Of each file that was written, made or renamed it tells once it is quiet.
 */
export class FolderWatch implements Disposable {
  readonly #root: string;
  readonly #skip: readonly RegExp[];
  readonly #listener: FolderListener;
  /** By the path below the root; the root itself is empty. */
  readonly #folders = new Map<string, { readonly watcher: FSWatcher; readonly inode: number }>();
  #touched = new Set<string>();
  #quiet: NodeJS.Timeout | null = null;
  /** When the first of the touched ones was, by performance.now(). */
  #sinceMs = 0;
  #isLooking = false;
  #isFull = false;
  #isEnded = false;

  constructor({ path, skip }: WatchedFolder, listener: FolderListener) {
    this.#root = path;
    this.#skip = skip.map((source) => new RegExp(source, "s"));
    this.#listener = listener;
    void this.#add("", null);
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  /** Watches a folder and those in it; the files that are there already go to `found`. */
  async #add(folder: string, found: string[] | null): Promise<void> {
    if (this.#isEnded || this.#isFull || this.#folders.has(folder)) return;
    if (this.#folders.size >= maxFolders) return this.#full(`it has over ${maxFolders} folders`);
    const path = join(this.#root, folder);
    try {
      const { ino: inode } = await lstat(path);
      if (this.#isEnded || this.#folders.has(folder)) return;
      const watcher = watch(path, (_event, name) => this.#touch(folder, name));
      this.#folders.set(folder, { watcher, inode });
      watcher.on("error", () => this.#drop(folder));
      // First watched, then read: what is made in between is seen twice and missed never.
      for (const entry of await readdir(path, { withFileTypes: true })) {
        const below = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (this.#isSkipped(below)) continue;
        if (entry.isDirectory()) await this.#add(below, found);
        else if (entry.isFile() || entry.isSymbolicLink()) found?.push(below);
      }
    } catch (error) {
      this.#drop(folder);
      const { code, message } = error as NodeJS.ErrnoException;
      // Gone already: its own folder tells that.
      if (folder !== "" && (code === "ENOENT" || code === "ENOTDIR")) return;
      const isLimit = code === "ENOSPC" || code === "EMFILE";
      this.#full(isLimit ? "the machine watches as much as it can" : message);
    }
  }

  #full(why: string): void {
    if (this.#isEnded || this.#isFull) return;
    this.#isFull = true;
    this.#listener.onUnwatched(why);
  }

  #drop(folder: string): void {
    for (const [path, { watcher }] of this.#folders) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#folders.delete(path);
    }
  }

  #touch(folder: string, name: string | null): void {
    // Without a name it is the folder itself that was touched.
    if (name === null || name.includes(replacement)) return;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (path.length > maxPathLength || this.#isSkipped(path)) return;
    if (this.#touched.size === 0) this.#sinceMs = performance.now();
    this.#touched.add(path);
    if (!this.#isLooking) this.#wait();
  }

  #wait(): void {
    const leftMs = Math.max(0, this.#sinceMs + mostMs - performance.now());
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => void this.#look(), Math.min(quietMs, leftMs));
  }

  /** Looks at what was touched; what is touched meanwhile is looked at next. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    const touched = this.#touched;
    this.#touched = new Set();
    const changed: string[] = [];
    const removed: string[] = [];
    for (const path of touched) {
      const { kind, inode } = await this.#kindOf(path);
      const known = this.#folders.get(path);
      // A folder that another one took the place of is another.
      if (known !== undefined && known.inode !== inode) {
        this.#drop(path);
        removed.push(`${path}/`);
      } else if (kind === "none") removed.push(path);
      if (kind === "file") changed.push(path);
      if (kind === "folder") await this.#add(path, changed);
    }
    this.#isLooking = false;
    if (this.#isEnded) return;
    if (changed.length + removed.length > 0) this.#listener.onFiles({ changed, removed });
    if (this.#touched.size > 0) this.#wait();
  }

  async #kindOf(
    path: string,
  ): Promise<{ kind: "file" | "folder" | "none" | "other"; inode: number | null }> {
    try {
      const found = await lstat(join(this.#root, path));
      if (found.isDirectory()) return { kind: "folder", inode: found.ino };
      const isFile = found.isFile() || found.isSymbolicLink();
      return { kind: isFile ? "file" : "other", inode: null };
    } catch {
      return { kind: "none", inode: null };
    }
  }

  #isSkipped(path: string): boolean {
    return this.#skip.some((pattern) => pattern.test(path));
  }
}
