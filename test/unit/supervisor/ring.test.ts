import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Ring } from "../../../workspace-image/supervisor/ring.ts";

test("a ring holds the last bytes, whatever the pieces", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20_000 }),
      fc.array(fc.uint8Array({ maxLength: 30_000, size: "max" }), { maxLength: 8 }),
      fc.nat(),
      (capacity, chunks, place) => {
        const ring = new Ring(capacity);
        for (const chunk of chunks) ring.append(chunk);
        const all = Buffer.concat(chunks);
        expect(ring.end).toBe(all.length);
        expect(ring.start).toBe(Math.max(0, all.length - capacity));
        const from = ring.start + (place % (ring.end - ring.start + 1));
        expect(ring.read(from, capacity).equals(all.subarray(from))).toBe(true);
        expect(ring.read(from, 7).equals(all.subarray(from, from + 7))).toBe(true);
        expect(() => ring.read(ring.end + 1, 1)).toThrow(RangeError);
      },
    ),
    { numRuns: 200 },
  );
});
