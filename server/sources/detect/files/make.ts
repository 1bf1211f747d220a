import type { Detector, OfferedCommand } from "../finding.ts";
import { supervisorPort } from "../../../protocol/supervisor.ts";
import { venvPrefix } from "../languages/python.ts";

/** Which targets are for what: of each list the first that the file has. */
const targets = {
  run: ["run", "dev", "serve", "start"],
  test: ["test", "check"],
  build: ["build", "all"],
  debug: ["debug"],
} as const;

export const make: Detector = {
  name: "Makefile",
  language: false,
  marks: ["GNUmakefile", "makefile", "Makefile"],
  reads: [],
  detect(project) {
    const file = project.first(make.marks);
    if (file === null) return {};
    const commands = Object.entries(targets).flatMap(([group, names]): OfferedCommand[] => {
      for (const name of names) {
        const found = file.find(new RegExp(String.raw`^${name}[ \t]*::?(?![:=])`, "m"));
        if (found === null) continue;
        const reason = { at: found.at, why: `the target "${name}"` };
        const line = `make ${name}`;
        return [{ id: `make-${name}`, group: group as OfferedCommand["group"], line, reason }];
      }
      return [];
    });
    return { commands };
  },
};

/** What `foreman` gives the first process, where a Procfile's line asks for a port. */
const procfilePort = 5000;

export const procfile: Detector = {
  name: "Procfile",
  language: false,
  marks: ["Procfile", "Procfile.dev"],
  reads: ["requirements.txt", "pyproject.toml"],
  detect(project) {
    const file = project.first(["Procfile.dev", "Procfile"]);
    if (file === null) return {};
    const found = file.find(/^web:[ \t]*(\S.*?)[ \t\r]*$/m);
    const others = [...file.lines()].flatMap(({ text, at }) => {
      const [, name] = /^([\w-]+):\s*\S/.exec(text) ?? [];
      if (name === undefined || name === "web") return [];
      const why = "Only the line of web is offered: run it in a terminal of its own.";
      return [{ what: `process ${name}`, why, where: at }];
    });
    const line = found?.match[1] ?? "";
    if (found === null) return { leftOut: others };
    const reason = { at: found.at, why: "the process web" };
    // Twice in braces is a variable of a devfile, and there is none of that name.
    if (/\{\{|[\p{Cc}]/u.test(line)) {
      const why = "It holds what a devfile cannot: run it in a terminal.";
      return { leftOut: [{ what: "process web", why, where: found.at }, ...others] };
    }
    const asks = /\$(?:PORT\b|\{PORT\b)/.test(line);
    return {
      commands: [
        {
          id: "web",
          group: "run",
          line: `${venvPrefix(project)}${line}`,
          ...(asks ? { env: { PORT: String(procfilePort) } } : {}),
          reason,
        },
      ],
      ports: asks ? [{ port: procfilePort, reason: { ...reason, why: "where web listens" } }] : [],
      leftOut: others,
    };
  },
};

export const dockerfile: Detector = {
  name: "Dockerfile",
  language: false,
  marks: ["Dockerfile", "Containerfile"],
  reads: [],
  detect(project) {
    const file = project.first(["Dockerfile", "Containerfile"]);
    if (file === null) return {};
    const exposed = [...file.lines()].flatMap(({ text, at }) => {
      const [, list] = /^EXPOSE\s+(.+)$/i.exec(text) ?? [];
      return (list ?? "").split(/\s+/).flatMap((word) => {
        const [, number] = /^(\d{1,5})(?:\/tcp)?$/.exec(word) ?? [];
        const port = Number(number);
        const fits = port >= 1 && port <= 65_535 && port !== supervisorPort;
        return fits ? [{ port, reason: { at, why: "the image's port" } }] : [];
      });
    });
    return {
      ports: exposed,
      leftOut: [
        {
          what: file.path,
          why: "Its image is not built: you work in the default image. Name it in a devfile (an image component) to work in it.",
          where: (file.find(/^FROM\b/im) ?? { at: file.place() }).at,
        },
      ],
    };
  },
};

export const compose: Detector = {
  name: "Compose file",
  language: false,
  marks: ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
  reads: [],
  detect(project) {
    const file = project.first(compose.marks);
    if (file === null) return {};
    return {
      leftOut: [
        {
          what: file.path,
          why: "Its services are not started: name those that you need in a devfile.",
          where: (file.find(/^services:/m) ?? { at: file.place() }).at,
        },
      ],
    };
  },
};
