import { describe, expect, it } from "vitest";
import { AppHosts, mayCall } from "../../../server/api/origin.ts";

const hosts = new AppHosts("http://app.localhost:7700", "localhost");

function call(method: string, headers: Record<string, string>): Request {
  return new Request("http://app.localhost:7700/trpc/x", { method, headers });
}

describe("host names", () => {
  it.each([
    ["app.localhost:7700", "app"],
    ["APP.localhost:7700", "app"],
    ["localhost:7700", "loopback"],
    ["127.0.0.1:7700", "loopback"],
    ["[::1]:7700", "loopback"],
    ["app.localhost:7701", "other"],
    ["attacker.example:7700", "other"],
    ["3000-govapp-main-xyz.localhost:7700", "other"],
    ["app.localhost.attacker.example", "other"],
  ])("%s is %s", (host, kind) => {
    expect(hosts.kindOf(host)).toBe(kind);
  });

  it("a request without a host name is nobody's", () => {
    expect(hosts.kindOf(undefined)).toBe("other");
  });
});

describe("who may call the API", () => {
  const own = "http://app.localhost:7700";
  it.each([
    ["POST", { origin: own, cookie: "a=b" }],
    ["GET", { "sec-fetch-site": "same-origin", cookie: "a=b" }],
    ["POST", { authorization: "Bearer x" }],
  ])("%s from the app itself: %o", (method, headers) => {
    expect(mayCall(call(method, headers), "app", hosts)).toBeNull();
  });

  it.each([
    ["POST", { origin: "http://localhost:8080", cookie: "a=b" }],
    ["POST", { origin: "null", cookie: "a=b" }],
    ["POST", { origin: "http://3000-ws.localhost:7700", authorization: "Bearer x" }],
    ["POST", { cookie: "a=b" }],
    ["POST", { cookie: "a=b", authorization: "Bearer x" }],
    ["GET", { "sec-fetch-site": "same-site", cookie: "a=b" }],
    ["GET", { "sec-fetch-site": "none", cookie: "a=b" }],
    ["GET", { cookie: "a=b" }],
  ])("%s from elsewhere is refused: %o", (method, headers) => {
    expect(mayCall(call(method, headers), "app", hosts)).toEqual(expect.any(String));
  });

  it("a browser never uses the loopback address, the command line does", () => {
    expect(mayCall(call("POST", {}), "loopback", hosts)).toBeNull();
    const page = call("GET", { "sec-fetch-site": "none" });
    expect(mayCall(page, "loopback", hosts)).toContain("http://app.localhost:7700");
    expect(mayCall(call("POST", { origin: own }), "loopback", hosts)).toEqual(expect.any(String));
  });

  it("a host name that is not ours gets nothing, whatever it brings", () => {
    const request = call("POST", { authorization: "Bearer x" });
    expect(mayCall(request, "other", hosts)).toEqual(expect.any(String));
  });
});
