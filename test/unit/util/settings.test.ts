import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import {
  caFileOf,
  readDataDir,
  readSettings,
  settingsTable,
  standardDataDir,
} from "../../../server/util/settings.ts";

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

it.each<[string, number | undefined, Record<string, string>, string]>([
  ["root's", 0, {}, "/var/lib/oneloop"],
  ["root's, whatever a desktop says", 0, { XDG_DATA_HOME: "/data" }, "/var/lib/oneloop"],
  ["a user's", 1000, {}, "/home/ada/.local/share/oneloop"],
  ["a user's who has another", 1000, { XDG_DATA_HOME: "/data" }, "/data/oneloop"],
  ["an empty one is none", 1000, { XDG_DATA_HOME: "" }, "/home/ada/.local/share/oneloop"],
  ["nor is a relative one", 1000, { XDG_DATA_HOME: "data" }, "/home/ada/.local/share/oneloop"],
])("the data folder: %s", (_name, uid, env, expected) => {
  expect(standardDataDir(uid, "/home/ada", env)).toBe(expected);
});

it("the data folder is read where another setting is wrong: it may be another program's", () => {
  const env = { ONELOOP_DATA_DIR: "/data", DATABASE_URL: "mysql://127.0.0.1/theirs" };
  expect(readDataDir(env)).toBe("/data");
  expect(() => readDataDir({ ONELOOP_DATA_DIR: "data" })).toThrow(/ONELOOP_DATA_DIR: an absolute/);
});

const wrongValues: [string, string][] = [
  ["ONELOOP_DATA_DIR", "data"],
  ["ONELOOP_HOST", "127.0.0.1:7700"],
  ["ONELOOP_HOST", "http://127.0.0.1"],
  ["ONELOOP_HOST", "300.0.0.1"],
  ["ONELOOP_HOST", "not a host"],
  ["ONELOOP_FILE_ROOTS", "repositories"],
  ["ONELOOP_FILE_ROOTS", "/srv/git,./more"],
  ["ONELOOP_IMAGE_MAP", "postgres:16"],
  ["ONELOOP_IMAGE_MAP", "postgres:16="],
  ["ONELOOP_IMAGE_MAP", "postgres:16=my image"],
  ["ONELOOP_IMAGE_MAP", "Postgres:16=postgres:17"],
  ["ONELOOP_BASE_IMAGE", "https://registry.example/debian"],
  ["ONELOOP_BASE_IMAGE", "Debian"],
  ["DATABASE_URL", "mysql://127.0.0.1/theirs"],
  ["DATABASE_URL", "127.0.0.1:5432/oneloop"],
  ["DATABASE_URL", "postgresql://user@host:port/oneloop"],
];

it.each(wrongValues)("%s=%s is refused in one line that says what it should be", (name, value) => {
  const line = new RegExp(`^Wrong settings\\. ${name}: [^\\n]{10,}$`);
  expect(() => readSettings({ [name]: value })).toThrow(line);
});

it("a database's URL that is refused is not repeated: it may have a password", () => {
  const env = { DATABASE_URL: "mysql://ada:s3cret@host/theirs" };
  expect(() => readSettings(env)).toThrow(/^(?!.*s3cret)/);
});

it.each([
  ["ONELOOP_HOST", "::1"],
  ["ONELOOP_HOST", "0.0.0.0"],
  ["ONELOOP_HOST", "localhost"],
  ["ONELOOP_HOST", "oneloop-1.example.com"],
  ["ONELOOP_BASE_IMAGE", "registry.example:5000/team/debian:12@sha256:" + "0".repeat(64)],
  ["ONELOOP_BASE_IMAGE", "sha256:" + "0".repeat(64)],
  ["DATABASE_URL", "postgres://ada:s3cret@10.0.0.5:5432/oneloop?sslmode=require"],
  ["DATABASE_URL", "postgresql://oneloop@localhost/oneloop?host=%2Frun%2Fpostgresql"],
  ["DATABASE_URL", "postgresql:///oneloop?host=/run/postgresql"],
] as const)("%s=%s is taken as it is", (name, value) => {
  expect(readSettings({ [name]: value })[name]).toBe(value);
});

it("reads folders and images", () => {
  const settings = readSettings({
    ONELOOP_FILE_ROOTS: "/srv/git, /home/ada/code",
    ONELOOP_IMAGE_MAP: "postgres:16=registry.example/postgres:16, team/api=team/api:dev",
  });
  expect(settings.ONELOOP_FILE_ROOTS).toEqual(["/srv/git", "/home/ada/code"]);
  expect(settings.ONELOOP_IMAGE_MAP).toEqual({
    "postgres:16": "registry.example/postgres:16",
    "team/api": "team/api:dev",
  });
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
