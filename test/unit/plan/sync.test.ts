import { describe, expect, it } from "vitest";
import { reloadOf } from "../../../server/plan/mirror/reloads.ts";
import { skipped, Sync, type SyncSource } from "../../../server/plan/mirror/sync.ts";

const where = { file: "compose.yaml", line: 7, column: 11 };

function sync(change: Partial<SyncSource> = {}): Sync {
  return new Sync({
    build: {
      image: "shop/api:1",
      context: "api",
      dockerfile: "Dockerfile",
      args: {},
      target: null,
    },
    given: [],
    dockerfile: "FROM node\nWORKDIR /app\nCOPY package.json ./\nRUN npm ci\nCOPY . .\n",
    ignore: null,
    image: { workdir: "/app", env: {} },
    ...change,
  });
}

const rule: SyncSource["given"][number] = {
  ...{ path: "api/src", target: "/srv/src", ignore: [], include: [], where },
  action: "sync",
};

describe("what a saved file does", () => {
  it("is what its Dockerfile says of it", () => {
    expect(sync().actionFor("server.js", false)).toMatchObject({ do: "copy", restarts: null });
    expect(sync().actionFor("package.json", false)).toMatchObject({ do: "rebuild" });
    for (const path of ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"]) {
      expect(sync().actionFor(path, false), path).toMatchObject({ do: "rebuild" });
    }
  });

  it("is nothing where the context leaves it out", () => {
    const ignoring = sync({ ignore: "*.md\n!README.md\n" });
    expect(ignoring.actionFor("a.md", false)).toEqual({ do: "nothing" });
    expect(ignoring.actionFor("README.md", false)).toMatchObject({ do: "copy" });
  });

  it("is a build where nobody can read the Dockerfile", () => {
    for (const dockerfile of [null, "FROM\n", "COPY a b\n"]) {
      expect(sync({ dockerfile }).actionFor("a.js", false)).toMatchObject({ do: "rebuild" });
      expect(sync({ dockerfile }).folders).toEqual([]);
    }
  });

  it("is what a given rule says of it; the first that fits holds", () => {
    const given = sync({
      given: [
        { ...rule, path: "api/src/gen", action: "rebuild", target: null },
        { ...rule, action: "sync+restart", ignore: ["*.test.js"], include: ["*.js"] },
        { ...rule, path: "api/conf.json", action: "restart", target: null },
      ],
    });
    expect(given.actionFor("src/gen/x.js", false)).toEqual({
      do: "rebuild",
      why: "compose.yaml:7:11 says so",
    });
    expect(given.actionFor("src/a.js", false)).toEqual({
      do: "copy",
      restarts: true,
      to: [{ path: "/srv/src/a.js", root: "/srv/src", chown: null, line: 7 }],
    });
    // What no rule fits, the Dockerfile says.
    expect(given.actionFor("src/a.test.js", false)).toMatchObject({ do: "copy", restarts: null });
    expect(given.actionFor("src/a.css", false)).toMatchObject({ do: "copy", restarts: null });
    expect(given.actionFor("conf.json", false)).toEqual({ do: "restart" });
    expect(given.folders).toEqual(["/app", "/srv/src"]);
    expect(given.actionFor("src", true)).toMatchObject({ do: "rebuild" });
  });

  it("of one file that a rule names goes where it says", () => {
    const given = sync({ given: [{ ...rule, path: "api/a.txt", target: "/srv/a.txt" }] });
    expect(given.actionFor("a.txt", false)).toMatchObject({
      to: [{ path: "/srv/a.txt", root: "/srv" }],
      restarts: false,
    });
    expect(given.actionFor("a.txt.bak", false)).toMatchObject({ restarts: null });
    expect(given.folders).toEqual(["/app", "/srv"]);
  });
});

describe("what is not watched", () => {
  const isSkipped = (ignore: string | null, path: string): boolean =>
    skipped(ignore).some((source) => new RegExp(source, "s").test(path));

  it("is what no source is, and folders that the context leaves out", () => {
    expect(isSkipped(null, "a/node_modules/b")).toBe(true);
    expect(isSkipped(null, ".git/index")).toBe(true);
    expect(isSkipped(null, ".gitignore")).toBe(false);
    const ignore = "# dist\n/target\nvenv/\n**/cache\n*.log\n";
    for (const path of ["target/x", "venv/lib/y", "a/cache/z"]) {
      expect(isSkipped(ignore, path), path).toBe(true);
    }
    for (const path of ["dist/x", "a/target", "targets/x", "x.log", "a.cache"]) {
      expect(isSkipped(ignore, path), path).toBe(false);
    }
  });

  it("is nothing of the context's where some of it may be wanted again", () => {
    expect(isSkipped("target\n!target/keep\n", "target/keep")).toBe(false);
  });
});

describe("a program takes a changed file up by itself", () => {
  const kind = (argv: string[], path = "/app/x.js", env = {}): string =>
    reloadOf(argv, env, path).kind;

  it.each([
    [["node", "--watch", "server.js"]],
    [["/usr/local/bin/node", "--watch-path=src", "server.js"]],
    [["docker-entrypoint.sh", "nodemon", "server.js"]],
    [["npx", "vite", "--host"]],
    [["node_modules/.bin/next", "dev"]],
    [["python", "-m", "flask", "--debug", "run"]],
    [["uvicorn", "main:app", "--reload"]],
    [["python3", "manage.py", "runserver", "0.0.0.0:8000"]],
    [["nginx", "-g", "daemon off;"]],
    [["sh", "-c", "exec nodemon server.js"]],
    [["tini", "--", "air"]],
  ])("%j", (argv) => {
    expect(kind(argv)).toBe("itself");
  });

  it.each([
    [["node", "server.js"]],
    [["node", "server.js", "--watchful"]],
    [["npm", "run", "dev"]],
    [["next", "start"]],
    [["python", "app.py"]],
    [["python3", "manage.py", "runserver", "--noreload"]],
    [["uvicorn", "main:app"]],
    [["sh", "-c", "nodemon a.js & node b.js"]],
    [["sh", "-c", "migrate && node --watch b.js"]],
    [[]],
  ])("not %j", (argv) => {
    expect(kind(argv)).toBe("restart");
  });

  it("as its environment says, and not its configuration", () => {
    expect(kind(["flask", "run"], "/app/x.py", { FLASK_DEBUG: "1" })).toBe("itself");
    expect(kind(["nginx"], "/usr/share/nginx/html/index.html")).toBe("itself");
    expect(kind(["nginx"], "/etc/nginx/conf.d/default.conf")).toBe("restart");
  });
});
