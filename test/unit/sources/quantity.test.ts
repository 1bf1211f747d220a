import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseBytes, parseCores } from "../../../server/sources/quantity.ts";

test.each([
  ["128Mi", 134_217_728],
  ["1G", 1_000_000_000],
  ["1.5Gi", 1_610_612_736],
  ["1e3", 1000],
  ["12E2", 1200],
  ["0.5", 1],
  ["1500m", 2],
  [".5k", 500],
  ["0", 0],
])("%s is %d bytes", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  ["500m", 0.5],
  ["2", 2],
  ["0.1", 0.1],
  ["0.1234", 0.124],
  ["100u", 0.001],
])("%s is %d cores", (text, cores) => {
  expect(parseCores(text)).toBe(cores);
});

test.each(["", "Mi", "128MB", "-1", "1K", "1 Gi", "0x10", "1e999", "9999Ei", "toString", "NaN"])(
  "%j is no quantity",
  (text) => {
    expect(parseBytes(text)).toBeNull();
  },
);

test("every count of thousandths of a core stays what it is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (milli) => {
      expect(parseCores(`${milli}m`)).toBe(milli / 1000);
      expect(parseCores(String(milli / 1000))).toBe(milli / 1000);
    }),
  );
});
