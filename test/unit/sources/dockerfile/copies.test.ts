import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  copiedFolders,
  copyRules,
  placeOf,
  type CopyRules,
} from "../../../../server/sources/dockerfile/copies.ts";
import { readDockerfile } from "../../../../server/sources/dockerfile/read.ts";
import { stopwatch } from "../../../helpers/stopwatch.ts";

interface Given {
  readonly workdir?: string;
  readonly env?: Record<string, string>;
  readonly args?: Record<string, string>;
  readonly target?: string;
}

function rulesOf(text: string, { workdir = "/app", env = {}, args = {}, target }: Given = {}) {
  const result = readDockerfile(text, "Dockerfile");
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics, null, 1));
  return copyRules(result.dockerfile, { args, target: target ?? null }, { workdir, env });
}

/** Where a file goes, by words: its places, `baked`, or `none`. */
function where(rules: CopyRules, path: string): string {
  const isFolder = path.endsWith("/");
  const place = placeOf(rules, { path: path.replace(/\/$/, ""), isFolder });
  return place.kind === "copied" ? place.to.map((one) => one.path).join(" ") : place.kind;
}

function all(text: string, paths: Record<string, string>, given?: Given): void {
  const rules = rulesOf(text, given);
  const found = Object.keys(paths).map((path) => [path, where(rules, path)]);
  expect(Object.fromEntries(found)).toEqual(paths);
}

describe("a file of the context", () => {
  test("is where COPY puts it: files into a folder, a folder's content, under another name", () => {
    all(
      `FROM node
WORKDIR /app
COPY package.json *.js ./
COPY views views
COPY public/ /srv/www/
COPY config.prod.json /etc/app/config.json
COPY ["a file.txt", "with space/"]
ADD data.csv data/
`,
      {
        "package.json": "/app/package.json",
        "server.js": "/app/server.js",
        "lib/x.js": "none",
        "views/a/b.html": "/app/views/a/b.html",
        "public/x.css": "/srv/www/x.css",
        "config.prod.json": "/etc/app/config.json",
        "a file.txt": "/app/with space/a file.txt",
        "data.csv": "/app/data/data.csv",
        "README.md": "none",
      },
    );
  });

  test("that a program of the build may have used is baked, also where it is copied again", () => {
    all(
      `FROM node
WORKDIR /app
COPY package*.json ./
RUN npm ci
COPY . .
CMD ["node", "server.js"]
`,
      {
        "package.json": "baked",
        "package-lock.json": "baked",
        "server.js": "/app/server.js",
        "src/deep/x.js": "/app/src/deep/x.js",
      },
    );
  });

  test("of a compiled program is baked, and what stands beside it is not", () => {
    all(
      `FROM golang AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY *.go ./
RUN go build -o /out/server .
FROM scratch
COPY --from=build /out/server /server
COPY templates /templates
COPY assets/ /static/
`,
      {
        "go.mod": "baked",
        "main.go": "baked",
        "templates/index.html": "/templates/index.html",
        "assets/a/b.css": "/static/a/b.css",
        "docs/x.md": "none",
      },
      { workdir: "/" },
    );
  });

  test("is baked where something else lies above it", () => {
    all(
      `FROM node
WORKDIR /app
COPY . .
COPY --from=nginx /etc/nginx/dist ./dist
COPY prod.env .env
COPY docker/run.sh ./
COPY conf/ ./settings/
`,
      {
        "dist/app.js": "baked",
        ".env": "baked",
        "run.sh": "baked",
        "prod.env": "/app/prod.env /app/.env",
        "docker/run.sh": "/app/docker/run.sh /app/run.sh",
        "server.js": "/app/server.js",
        "settings/x": "baked",
        "conf/x": "/app/conf/x /app/settings/x",
      },
    );
  });

  test("has its place by variables, arguments, and folders within folders", () => {
    all(
      `ARG ROOT=/opt
FROM node AS base
ARG ROOT
ENV APP=\${ROOT}/shop
WORKDIR $APP
FROM base
WORKDIR src
COPY a ./
COPY b.txt $HOME/
`,
      { "a/x": "/opt/shop/src/x", "b.txt": "/home/me/b.txt" },
      { workdir: "/opt/shop/src", env: { HOME: "/home/me" } },
    );
  });

  test("goes to the base image's folder where the file names none", () => {
    all("FROM node\nCOPY x.js ./\n", { "x.js": "/srv/x.js" }, { workdir: "/srv" });
    all("FROM node\nWORKDIR sub\nCOPY x.js ./\n", { "x.js": "baked" }, { workdir: "/srv/sub" });
  });

  test("is baked where the built image ends elsewhere than the file says", () => {
    all("FROM node\nWORKDIR /a\nCOPY x.js ./\n", { "x.js": "baked" }, { workdir: "/b" });
  });

  test("of a stage after the wanted one is nothing to it", () => {
    all(
      "FROM node AS dev\nWORKDIR /app\nCOPY . .\nFROM dev\nRUN npm run build\n",
      { "x.js": "/app/x.js" },
      { target: "dev" },
    );
  });

  test("is baked where only the image can tell its place: a folder, or a file of that name", () => {
    all("FROM node\nCOPY tool /usr/local/bin\n", { tool: "baked", "tool/x": "/usr/local/bin/x" });
    all("FROM node\nCOPY start.* /start\n", { "start.sh": "baked" });
  });

  test("that ADD unpacks is baked", () => {
    all("FROM node\nADD site.tar.gz /srv/\nADD a.css /srv/\n", {
      "site.tar.gz": "baked",
      "a.css": "/srv/a.css",
    });
  });

  test("of whole folders: what is in one goes with it, the taken one itself nobody knows", () => {
    all("FROM node\nWORKDIR /app\nCOPY lib/*/x ./\nCOPY src ./src\n", {
      "src/old/": "/app/src/old",
      "src/": "baked",
      "lib/": "baked",
      "docs/": "none",
    });
  });

  test("keeps who owns it", () => {
    const rules = rulesOf("FROM node\nARG U=7\nCOPY --chown=$U:node a.js /app/a.js\n");
    expect(placeOf(rules, { path: "a.js", isFolder: false })).toEqual({
      kind: "copied",
      to: [{ path: "/app/a.js", root: "/app", chown: "7:node", line: 3 }],
    });
  });

  test("the folders that it goes into are named once", () => {
    const rules = rulesOf(
      "FROM node\nWORKDIR /app\nCOPY *.js ./\nCOPY views ./views/\nCOPY a.conf /etc/shop/a.conf\n",
    );
    expect(copiedFolders(rules)).toEqual(["/app", "/etc/shop"]);
  });
});

/** Go's path/filepath.Match by itself, slow and plain. */
function goMatch(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  if (pattern[0] === "*") {
    const rest = pattern.slice(1);
    return [...Array(name.length + 1).keys()].some((at) => goMatch(rest, name.slice(at)));
  }
  if (name === "" || (pattern[0] !== "?" && pattern[0] !== name[0])) return false;
  return goMatch(pattern.slice(1), name.slice(1));
}

test("patterns match as the builder's do", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), minLength: 1 });
  fc.assert(
    fc.property(pattern, text, (wanted, name) => {
      fc.pre(![".", ".."].includes(name) && ![".", ".."].includes(wanted));
      const rules = rulesOf(`FROM node\nCOPY ${wanted} z /app/\n`);
      const isIn = where(rules, name) !== "none";
      expect(isIn).toBe(goMatch(wanted, name));
    }),
  );
});

test("a class is a set of characters", () => {
  all("FROM node\nCOPY file[0-9].js [^a]x.js /app/\n", {
    "file7.js": "/app/file7.js",
    "filea.js": "none",
    "bx.js": "/app/bx.js",
    "ax.js": "none",
  });
});

test("no pattern takes long", () => {
  const rules = rulesOf(`FROM node\nCOPY ${"*a".repeat(60)}b /app/\n`);
  const tookMs = stopwatch();
  expect(where(rules, "a".repeat(255))).toBe("none");
  expect(tookMs()).toBeLessThan(200);
});

test("a file is nowhere but below a folder that a rule names, whatever its name", () => {
  const name = fc.string({ unit: fc.constantFrom("a", ".", "-", "b"), minLength: 1, maxLength: 4 });
  const path = fc
    .array(
      name.filter((one) => one !== "." && one !== ".."),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) => parts.join("/"));
  const rules = rulesOf("FROM node\nWORKDIR /app\nCOPY . .\n");
  fc.assert(
    fc.property(path, (one) => {
      expect(where(rules, one)).toBe(`/app/${one}`);
    }),
  );
});
