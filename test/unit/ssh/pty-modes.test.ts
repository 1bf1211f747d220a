import { expect, test } from "vitest";
import { readModes } from "../../../server/ssh/pty-modes.ts";

function mode(opcode: number, value: number): number[] {
  return [opcode, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

test("terminal modes are read up to their end, by their names", () => {
  const encoded = [
    ...mode(129, 38_400),
    ...mode(3, 0x7f),
    ...mode(5, 4),
    ...mode(7, 255),
    ...mode(42, 1),
    ...mode(53, 0),
    ...mode(72, 1),
    ...mode(93, 1),
    0,
    ...mode(1, 3),
  ];
  expect(readModes(Uint8Array.from(encoded))).toEqual({
    ...{ VERASE: 0x7f, VEOF: 4, VEOL2: 255, IUTF8: 1, ECHO: 0, ONLCR: 1, PARODD: 1 },
  });
});

test("modes that nobody knows are passed over; what is undefined or cut off ends them", () => {
  expect(readModes(Uint8Array.from([...mode(77, 1), ...mode(1, 3)]))).toEqual({ VINTR: 3 });
  expect(readModes(Uint8Array.from([...mode(160, 1), ...mode(1, 3)]))).toEqual({});
  expect(readModes(Uint8Array.from([...mode(1, 3), 2, 0, 0]))).toEqual({ VINTR: 3 });
  expect(readModes(new Uint8Array(0))).toEqual({});
});
