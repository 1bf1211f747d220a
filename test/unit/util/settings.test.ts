import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { caFileOf, readSettings, settingsTable } from "../../../server/util/settings.ts";

it("has defaults for a machine that nobody configured", () => {
  const settings = readSettings({});
  expect(settings).toMatchObject({
    ONELOOP_HOST: "127.0.0.1",
    ONELOOP_PORT: 7700,
    ONELOOP_SSH_PORT: 7722,
    ONELOOP_DOMAIN: "localhost",
    ONELOOP_ISOLATION: "on",
  });
  expect(settings.ONELOOP_DATA_DIR).toMatch(/^\//);
});

it("an empty variable is one that is not set", () => {
  expect(readSettings({ ONELOOP_PORT: "" }).ONELOOP_PORT).toBe(7700);
});

it("names every wrong variable at once", () => {
  const wrong = {
    ONELOOP_PORT: "http",
    ONELOOP_ISOLATION: "maybe",
    ONELOOP_DOMAIN: "Not A Domain",
  };
  const read = (): unknown => readSettings(wrong);
  expect(read).toThrow(OneloopError);
  for (const name of Object.keys(wrong)) expect(read).toThrow(name);
});

it.each([
  "app.example.com",
  "app.example.com:443",
  "ftp://app.example.com",
  "https://app.example.com/oneloop",
  "https://app.example.com/?a",
  "https://user@app.example.com",
])("%s is no public URL", (url) => {
  const read = (): unknown =>
    readSettings({ ONELOOP_PUBLIC_URL: url, ONELOOP_DOMAIN: "example.com" });
  expect(read).toThrow(/ONELOOP_PUBLIC_URL/);
});

it("a public URL that is not of localhost needs its domain", () => {
  const url = "https://app.example.com:8443";
  expect(() => readSettings({ ONELOOP_PUBLIC_URL: url })).toThrow(/ONELOOP_DOMAIN/);
  for (const [publicUrl, domain] of [
    [url, "example.com"],
    [`${url}/`, "ports.example.net"],
    ["http://app.localhost:7701", "localhost"],
  ]) {
    const env = { ONELOOP_PUBLIC_URL: publicUrl, ONELOOP_DOMAIN: domain };
    expect(readSettings(env).ONELOOP_PUBLIC_URL).toBe(publicUrl);
  }
});

it("reads lists separated by commas", () => {
  const settings = readSettings({ ONELOOP_ALLOW_NET: "10.0.0.5:443, git.example.org:22," });
  expect(settings.ONELOOP_ALLOW_NET).toEqual(["10.0.0.5:443", "git.example.org:22"]);
});

it("the README lists every setting as it is declared (`npm run docs` writes it)", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, table] = /<!-- settings -->([^]*)<!-- \/settings -->/.exec(readme) ?? [];
  // The formatter pads the columns: only the words are compared.
  const words = (text: string): string => text.replaceAll(/[\s-]+/g, "");
  expect(words(table ?? "")).toBe(words(settingsTable()));
});

it("the authorities are those of ONELOOP_CA_FILE, else of Node's own setting", () => {
  const both = { ONELOOP_CA_FILE: "/ours.pem", NODE_EXTRA_CA_CERTS: "/nodes.pem" };
  expect(caFileOf(readSettings(both))).toBe("/ours.pem");
  expect(caFileOf(readSettings({ ...both, ONELOOP_CA_FILE: "" }))).toBe("/nodes.pem");
  expect(caFileOf(readSettings({}))).toBeUndefined();
});
