import { expect, test } from "vitest";
import {
  defaultRoute,
  hostRoutes,
  parseRoutes,
  routesInto,
  routesWithin,
} from "../../../server/util/routes.ts";

test("the kernel's table of routes is read, and the way out is the one of the least metric", () => {
  const table = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
down0\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF\t0\t0\t0
`;
  const routes = parseRoutes(table);
  expect(routes.map(({ device, network }) => [device, network])).toEqual([
    ["wlan0", "0.0.0.0/0"],
    ["eth0", "0.0.0.0/0"],
    ["tun0", "0.0.0.0/1"],
    ["docker0", "172.17.0.0/16"],
  ]);
  expect(defaultRoute(routes)?.device).toBe("eth0");
  expect(defaultRoute([])).toBeNull();
  expect(parseRoutes("")).toEqual([]);
});

test("an interface's own network counts, whatever the table says", async () => {
  // In the kernel's table of local addresses, and in no other.
  expect(await hostRoutes()).toContainEqual({ device: "lo", network: "127.0.0.0/8", metric: 0 });
});

test("a range is taken by what is in it or around it, and by no way out", () => {
  const into = (device: string, network: string): boolean =>
    routesInto("10.213.0.0/16", [{ device, network }]).length === 1;
  expect(into("ws-0123456789ab", "10.213.7.16/28")).toBe(true);
  expect(into("wg0", "10.213.255.255/32")).toBe(true);
  expect(into("tun0", "10.0.0.0/8")).toBe(true);
  expect(into("eth0", "10.212.0.0/16")).toBe(false);
  expect(into("eth0", "10.214.0.0/16")).toBe(false);
  expect(into("eth0", "0.0.0.0/0")).toBe(false);
  expect(into("tun0", "0.0.0.0/1")).toBe(false);
  expect(into("*", "10.0.0.0/8")).toBe(false);
});

test("a route to more than the range takes none of it", () => {
  const within = (network: string): boolean =>
    routesWithin("10.213.0.0/16", [{ device: "tun0", network }]).length === 1;
  expect(within("10.213.7.16/28")).toBe(true);
  expect(within("10.213.0.0/16")).toBe(true);
  expect(within("10.212.0.0/15")).toBe(false);
  expect(within("10.0.0.0/8")).toBe(false);
});
