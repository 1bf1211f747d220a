import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatPortHost,
  parsePortHost,
  parsePortUrl,
  portOrigin,
  serviceLabel,
} from "../../../server/ports/hostname.ts";

const label = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .stringMatching(/^[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,5}$/)
    .filter((text) => text.length <= maxLength);

const portHost = fc.record({
  port: fc.integer({ min: 1, max: 65_535 }),
  workspace: label(32),
  service: fc.option(label(22)),
});
const domain = fc.constantFrom("localhost", "dev.example.com", "x");

describe("the host name of a port", () => {
  test("the grammar's own examples are read", () => {
    expect(parsePortHost("3000-govapp-main-xkd.localhost", "localhost")).toEqual({
      port: 3000,
      workspace: "govapp-main-xkd",
      service: null,
    });
    expect(parsePortHost("5432-db--govapp-main-xkd.localhost:7700", "localhost")).toEqual({
      port: 5432,
      workspace: "govapp-main-xkd",
      service: "db",
    });
  });

  test("what is formatted is read back, in any case, with and without a port", () => {
    fc.assert(
      fc.property(
        portHost,
        domain,
        fc.option(fc.integer({ min: 1, max: 65_535 })),
        (host, on, port) => {
          const text = formatPortHost(host, on);
          const given = port === null ? text : `${text}:${port}`;
          expect(parsePortHost(given, on)).toEqual(host);
          expect(parsePortHost(given.toUpperCase(), on)).toEqual(host);
          expect(text.split(".")[0]?.length).toBeLessThanOrEqual(63);
        },
      ),
    );
  });

  test("what is read formats to the same text: no host has two names", () => {
    const near = fc.stringMatching(/^[0-9]{0,6}-?[a-z0-9-]{0,20}(--)?[a-z0-9.-]{0,20}\.localhost$/);
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const read = parsePortHost(text, "localhost");
        const bare = text.toLowerCase().replace(/:\d+$/, "");
        expect(read === null ? bare : formatPortHost(read, "localhost")).toBe(bare);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "app.localhost",
    "localhost",
    "",
    "3000.localhost",
    "3000-.localhost",
    "-ws.localhost",
    "0-ws.localhost",
    "03000-ws.localhost",
    "65536-ws.localhost",
    "+80-ws.localhost",
    "3000-ws-.localhost",
    "3000--ws.localhost",
    "3000-a--b--ws.localhost",
    "3000-a---ws.localhost",
    "3000-ws.localhost.",
    "3000-ws.evil.localhost",
    "3000-ws.localhost.evil.com",
    "3000-wslocalhost",
    "3000-ws.localhost:",
    "3000-ws.localhost:7700:7700",
    "3000-ws.localhost:x",
    "3000-w_s.localhost",
    "3000-ws\n.localhost",
    "3000-ws.localhost\n",
    `3000-${"w".repeat(33)}.localhost`,
    `3000-${"s".repeat(23)}--ws.localhost`,
    "user@3000-ws.localhost",
    "3000-\u212as.localhost",
  ])("%j is none", (text) => {
    expect(parsePortHost(text, "localhost")).toBeNull();
  });
});

describe("the URL of a port", () => {
  const app = new URL("http://app.localhost:7700");
  const port = { port: 3000, service: null, workspace: "govapp-main-xkd" };

  test("has the scheme and the port number of the app", () => {
    expect(portOrigin(port, app, "localhost")).toBe("http://3000-govapp-main-xkd.localhost:7700");
    const secure = new URL("https://app.dev.example.com");
    expect(portOrigin(port, secure, "dev.example.com")).toBe(
      "https://3000-govapp-main-xkd.dev.example.com",
    );
  });

  test("is this installation's own at its own door only", () => {
    const parse = (text: string) => parsePortUrl(new URL(text), app, "localhost");
    expect(parse("http://3000-govapp-main-xkd.localhost:7700/path?query")).toEqual(port);
    for (const elsewhere of [
      "http://3000-govapp-main-xkd.localhost:9999/",
      "http://3000-govapp-main-xkd.localhost/",
      "https://3000-govapp-main-xkd.localhost:7700/",
      "ftp://3000-govapp-main-xkd.localhost:7700/",
      "http://app.localhost:7700/",
      "http://3000-govapp-main-xkd.example.com:7700/",
    ]) {
      expect(parse(elsewhere)).toBeNull();
    }
  });
});

describe("the label of a service", () => {
  test("is its own name where there is room", () => {
    for (const name of ["db", "front-end", "a".repeat(22), "x1-y2"]) {
      expect(serviceLabel(name)).toBe(name);
    }
  });

  test("of a long name is always the same, and readable", () => {
    expect(serviceLabel("a-service-of-rather-many-words")).toBe("a-service-of-v64iryrk");
    expect(serviceLabel("Payment_Service")).toMatch(/^payment-servi-[a-z2-7]{8}$/);
    expect(serviceLabel("a--b")).toMatch(/^a-b-[a-z2-7]{8}$/);
    expect(serviceLabel("\u{1F41F}")).toMatch(/^[a-z2-7]{8}$/);
  });

  test("of any name is read back from its host name, is its own label, and is one name's only", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (service, other) => {
        const text = formatPortHost({ port: 1, workspace: "ws", service }, "localhost");
        const label = parsePortHost(text, "localhost")?.service ?? "";
        expect(label).toBe(serviceLabel(service));
        expect(serviceLabel(label)).toBe(label);
        if (service !== other) expect(serviceLabel(other)).not.toBe(label);
      }),
    );
  });
});
