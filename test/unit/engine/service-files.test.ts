import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { extract, pack, type Header } from "tar-stream";
import { describe, expect, it } from "vitest";
import {
  maxFilesBytes,
  packFiles,
  splitFiles,
} from "../../../server/engine/docker/service-files.ts";
import type { ServiceFile } from "../../../server/engine/services.ts";
import { textFile } from "../../conformance/engine/mirrored.ts";

function folder(
  path: string,
  entries: readonly (Partial<Header> & { name: string })[],
): ServiceFile {
  const out = pack();
  for (const entry of entries) {
    if (entry.type === undefined || entry.type === "file") out.entry(entry, entry.name);
    else out.entry(entry);
  }
  out.finalize();
  return { path, mode: 0o755, content: { kind: "folder", archive: Readable.from(out) } };
}

async function entriesOf(archive: Buffer): Promise<[string, string | undefined, string, string][]> {
  const found: [string, string | undefined, string, string][] = [];
  for await (const entry of Readable.from([archive]).pipe(extract())) {
    const { name, type, mode, linkname, uid, gid, mtime } = entry.header;
    expect([uid, gid, mtime.getTime()]).toEqual([0, 0, 0]);
    found.push([name, type ?? undefined, mode.toString(8), linkname ?? (await text(entry))]);
    entry.resume();
  }
  return found;
}

describe("packFiles", () => {
  it("has files by their paths, and folders below theirs, without who owned them", async () => {
    const archive = await packFiles([
      textFile("/etc//app/./a.conf", "A", 0o4640).put,
      folder("/srv/", [
        { name: "./", type: "directory" },
        { name: "in/", type: "directory", mode: 0o775 },
        { name: "in/x.sh", mode: 0o6755, uid: 1000, gid: 1000 },
        { name: "/abs" },
        { name: "in/link", type: "symlink", linkname: "../x" },
        { name: "device", type: "character-device" },
      ]),
    ]);
    expect(await entriesOf(archive)).toEqual([
      ["etc/app/a.conf", "file", "640", "A"],
      ["srv/in", "directory", "775", ""],
      ["srv/in/x.sh", "file", "755", "in/x.sh"],
      ["srv/abs", "file", "644", "/abs"],
      ["srv/in/link", "symlink", "644", "../x"],
    ]);
  });

  it("keeps what climbs out of a folder in it", async () => {
    const archive = await packFiles([folder("/srv/app", [{ name: "../../etc/passwd" }])]);
    expect((await entriesOf(archive)).map(([name]) => name)).toEqual(["srv/app/etc/passwd"]);
  });

  it("refuses what goes through a link that the same files make", async () => {
    const link = { name: "out", type: "symlink", linkname: "/etc" } as const;
    const through = packFiles([folder("/srv", [link, { name: "out/passwd" }])]);
    await expect(through).rejects.toMatchObject({ code: "bad-input" });
    const files = [folder("/srv", [link]), textFile("/srv/out/deep/x", "x").put];
    await expect(packFiles(files)).rejects.toMatchObject({ code: "bad-input" });
    // A file in the link's place is a file.
    const replaced = [folder("/srv", [link, { name: "out" }]), textFile("/srv/outer", "x").put];
    await expect(packFiles(replaced)).resolves.toBeInstanceOf(Buffer);
  });

  it.each([
    "/",
    "relative",
    "/a/../..",
    "/.oneloop",
    "/.oneloop/bin/x",
    "/x/../proc/1",
    "/sys/x",
    "/dev",
  ])("refuses a file at %s", async (path) => {
    const packing = packFiles([textFile(path, "x").put]);
    await expect(packing).rejects.toMatchObject({ code: "bad-input" });
  });

  it("refuses more than a configuration has", async () => {
    const bytes = Buffer.alloc(maxFilesBytes / 2 + 1);
    const half = (path: string): ServiceFile => ({
      path,
      mode: 0o644,
      content: { kind: "bytes", bytes },
    });
    const packing = packFiles([half("/a"), half("/b")]);
    await expect(packing).rejects.toMatchObject({ code: "bad-input", message: /256 MiB/ });
  });

  it("fails with an archive that fails", async () => {
    const archive = new Readable({ read: (): void => void archive.destroy(new Error("cut off")) });
    const packing = packFiles([{ path: "/a", mode: 0, content: { kind: "folder", archive } }]);
    await expect(packing).rejects.toThrow("cut off");
  });
});

describe("splitFiles", () => {
  it("puts each file where it is seen: on the innermost volume around it, or in the image", () => {
    const files = ["/a", "/data/x", "/data/in/y", "/database", "/data"].map(
      (path) => textFile(path, "").put,
    );
    const { inImage, inVolumes } = splitFiles(files, ["/data", "/data/in"]);
    const paths = (some: readonly ServiceFile[] = []): string[] => some.map(({ path }) => path);
    expect(paths(inImage)).toEqual(["/a", "/database"]);
    expect(paths(inVolumes.get("/data"))).toEqual(["/data/x", "/data"]);
    expect(paths(inVolumes.get("/data/in"))).toEqual(["/data/in/y"]);
  });
});
