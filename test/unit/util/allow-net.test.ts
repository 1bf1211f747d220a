import { expect, test } from "vitest";
import { readAllowNet } from "../../../server/util/allow-net.ts";

test("names, addresses and ranges with their ports are read", () => {
  expect(readAllowNet(["db.internal:5432", "10.1.2.0/24:443", "10.0.0.5:1"])).toEqual({
    hosts: [
      { host: "db.internal", port: 5432 },
      { host: "10.1.2.0/24", port: 443 },
      { host: "10.0.0.5", port: 1 },
    ],
    wrong: [],
  });
});

test("what is none is named, and never comes into a rule", () => {
  const wrong = ["10.0.0.1", "a b:1", "x:0", "x:70000", "-j:5", "10.0.0.0/33:1", "db/24:1"];
  const more = ["300.1.1.1:1", "10.0.0:1", "x:1e3", "x: 1", "[fd00::1]:1", ":80", "x:"];
  const read = readAllowNet([...wrong, "ok:1", ...more]);
  expect(read.wrong).toEqual([...wrong, ...more]);
  expect(read.hosts).toEqual([{ host: "ok", port: 1 }]);
});
