import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { chunksOf, parseReadyLine, untilReady } from "../../../server/engine/docker/output.ts";

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** The bytes, cut into pieces of one size: frames begin and end anywhere. */
function pieces(bytes: Buffer, size: number): Readable {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return Readable.from(parts);
}

describe("a container's output", () => {
  it.each([1, 3, 8, 1000])("keeps both streams apart in pieces of %i bytes", async (size) => {
    const bytes = Buffer.concat([
      frame(1, "hello "),
      frame(2, "oops"),
      frame(1, "wörld"),
      frame(1, ""),
    ]);
    const seen = { stdout: "", stderr: "" };
    for await (const { from, data } of chunksOf(pieces(bytes, size)))
      seen[from] += data.toString("latin1");
    expect(Buffer.from(seen.stdout, "latin1").toString("utf8")).toBe("hello wörld");
    expect(seen.stderr).toBe("oops");
  });

  it("finds the ready line behind noise and across frames", async () => {
    const bytes = [
      frame(1, 'noise\n{"oneloop":'),
      frame(2, "warn\n"),
      frame(1, '"ready","boot":"b1"}\n'),
    ];
    const { ready } = await untilReady(pieces(Buffer.concat(bytes), 5));
    expect(ready).toEqual({ oneloop: "ready", boot: "b1" });
  });

  it("tells what stood on standard error when the program ended before", async () => {
    const bytes = Buffer.concat([frame(2, "no such rule"), frame(1, '{"oneloop":"ready"}')]);
    expect(await untilReady(pieces(bytes, 7))).toEqual({ ready: null, stderr: "no such rule" });
  });

  it("takes no other line for it", () => {
    expect(parseReadyLine('{"oneloop":"starting"}')).toBeNull();
    expect(parseReadyLine('{"oneloop":')).toBeNull();
    expect(parseReadyLine(' {"oneloop":"ready"}')).toBeNull();
  });
});
