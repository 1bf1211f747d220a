import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeFrame,
  FrameDecoder,
  FrameType,
  maxFrameBytes,
} from "../../../server/protocol/frames.ts";

const frame = fc.record({
  type: fc.constantFrom(...Object.values(FrameType)),
  payload: fc.uint8Array({ maxLength: 300 }),
});

test("frames come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 64 })), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)));
      const seen: { type: number; payload: Buffer }[] = [];
      const decoder = new FrameDecoder((type, payload) =>
        seen.push({ type, payload: Buffer.from(payload) }),
      );
      for (let at = 0, n = 0; at < stream.length; n++) {
        const length = cuts[n % Math.max(1, cuts.length)] ?? stream.length;
        decoder.push(stream.subarray(at, at + length));
        at += length;
      }
      // Bytes of one stream may come in pieces; all else comes whole and in order.
      const streamed = (type: number) =>
        type === FrameType.stdin || type === FrameType.stdout || type === FrameType.stderr;
      const joined = (all: { type: number; payload: Uint8Array }[]) => {
        const result: { type: number; payload: Buffer }[] = [];
        for (const { type, payload } of all) {
          const last = result.at(-1);
          if (last !== undefined && last.type === type && streamed(type)) {
            last.payload = Buffer.concat([last.payload, payload]);
          } else {
            result.push({ type, payload: Buffer.from(payload) });
          }
        }
        return result;
      };
      expect(joined(seen)).toEqual(joined(frames));
    }),
  );
});

test("a frame that says it is too long is refused when its header is known", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: maxFrameBytes + 1, max: 2 ** 32 - 1 }),
      fc.nat(255),
      (length, type) => {
        const header = Buffer.alloc(5);
        header[0] = type;
        header.writeUInt32BE(length, 1);
        const decoder = new FrameDecoder(() => expect.unreachable());
        decoder.push(header.subarray(0, 4));
        expect(() => decoder.push(header.subarray(4))).toThrow(RangeError);
      },
    ),
  );
});
