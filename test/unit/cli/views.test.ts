import { expect, test } from "vitest";
import {
  behindText,
  detailJson,
  eventLine,
  listLines,
  placesLines,
  portLines,
  serviceDetailLines,
  serviceLines,
  showLines,
  summaryJson,
  unsavedLines,
} from "../../../cli/src/views.ts";
import { workspaceDetail } from "./workspace.ts";

const look = { width: null, coloured: false };
const placeKeys = [
  ...["id", "name", "state", "url", "repository", "branch", "ref", "commit", "behind", "work"],
];

test("the JSON of a workspace has exactly the documented keys, in their order", () => {
  const json = detailJson(workspaceDetail);
  expect(Object.keys(json)).toEqual([
    ...placeKeys,
    ...["ssh", "ports", "services", "events", "leftOut"],
  ]);
  expect(Object.keys(json.ssh)).toEqual(["host", "port", "user"]);
  expect(json.ports.map(Object.keys)).toEqual([
    ["port", "protocol", "visibility", "url", "process", "name", "service", "listening"],
  ]);
  expect(json.services.map(Object.keys)).toEqual([
    [
      ...["name", "state", "health", "image", "ports"],
      ...["mirrored", "built", "restarts", "reason", "since"],
    ],
  ]);
  expect(json.events.map(Object.keys)).toEqual([
    ["at", "level", "code", "message"],
    ["at", "level", "code", "message", "file", "line", "column"],
  ]);
});

test("the JSON of a list has no events", () => {
  expect(Object.keys(summaryJson(workspaceDetail))).toEqual([
    ...placeKeys,
    ...["ssh", "ports", "services"],
  ]);
});

test("a list names the workspace, its state and its source; an empty one says how to begin", () => {
  expect(listLines([workspaceDetail], look)).toEqual([
    "NAME             STATE    BRANCH  COMMIT     REPOSITORY",
    "govapp-main-abc  running  main    012345678  file:///srv/govapp.git",
  ]);
  expect(listLines([], look).join()).toContain("loop open");
});

test("an opened workspace shows its page, its ssh command and its ports", () => {
  expect(placesLines(workspaceDetail)).toEqual([
    "  web          http://app.localhost:7700/w/govapp-main-abc",
    "  ssh          loop ssh govapp-main-abc",
    "               ssh -p 7722 govapp-main-abc@localhost",
    "  portal 3000  http://3000-govapp-main-abc.localhost:7700/",
  ]);
});

test("what a file or a program says is shown without its control characters", () => {
  const [, warning] = workspaceDetail.events;
  expect(warning && eventLine(warning)).toBe(
    "2026-01-05T09:00:01.000Z  warning: devfile.yaml:3:5: evil name",
  );
  const shown = [...showLines(workspaceDetail, look), ...unsavedLines(unsaved)].join("\n");
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  expect(shown).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
  expect(shown).toContain("devfile.yaml:9:3: events: not supported");
});

const unsaved = {
  uncommitted: [" M \u001B[31mREADME.md"],
  unpushed: ["main: 0123456 Work"],
  stashes: [],
};

test("a workspace says what its branch lacks, and what is only in it", () => {
  const work = {
    uncommitted: 1,
    unpushed: 2,
    stashes: 0,
    head: null,
    at: workspaceDetail.createdAt,
  };
  const shown = showLines({ ...workspaceDetail, behind: 3, work }, look).join("\n");
  expect(shown).toContain("3 commits behind: `git pull` in it brings them");
  expect(shown).toContain("1 file not committed, 2 commits not pushed");
  expect(behindText({ behind: 1 })).toBe("1 commit behind: `git pull` in it brings it");
  expect([behindText({ behind: 0 }), behindText({ behind: null })]).toEqual([null, null]);
});

test("ports say who may see them, and whether something listens", () => {
  expect(portLines(workspaceDetail.ports, look)).toEqual([
    "PORT  NAME    OPEN  VISIBLE TO  URL",
    "3000  portal  yes   private     http://3000-govapp-main-abc.localhost:7700/",
  ]);
});

test("work that would be lost is listed by its kind, and kinds without any are left out", () => {
  expect(unsavedLines(unsaved)).toEqual([
    ...["", "Uncommitted:", "   M README.md", "", "Not pushed:", "  main: 0123456 Work"],
  ]);
});

test("services say how they do and how often they were restarted, and why where there is a why", () => {
  const { services } = workspaceDetail;
  expect(serviceLines(services, look)).toEqual([
    "NAME       STATE    HEALTH  RESTARTS  PORTS",
    "front-end  running  -       0         3000",
  ]);
  const [service] = services;
  if (service === undefined) throw new Error("the fixture has a service");
  const fallen = {
    ...{ ...service, name: "db", state: "backing-off" as const, restarts: 3, ports: [] },
    reason: "It ended with status 1.\u001B[2J",
  };
  expect(serviceLines([{ ...service, health: "ready" }, fallen], look)).toEqual([
    "NAME       STATE        HEALTH  RESTARTS  PORTS  REASON",
    "front-end  running      ready   0         3000   -",
    "db         backing-off  -       3         -      It ended with status 1.",
  ]);
  const coloured = serviceLines([fallen], { width: 80, coloured: true }).join("\n");
  expect(coloured).toContain("\u001B[33mbacking-off\u001B[0m");
});

test("a service's settings stand with the lines that they come from", () => {
  const [service] = workspaceDetail.services;
  if (service === undefined) throw new Error("the fixture has a service");
  const settings = [
    { name: "memory limit", value: "64 MiB", where: ["k8s/web.yaml:12:15"] },
    { name: "env TOKEN", value: "(a secret)", where: ["k8s/web.yaml:20:9", "k8s/s.yaml:3:1"] },
  ];
  const lines = serviceDetailLines({ ...service, since: "2026-01-05T09:00:00.000Z" }, settings);
  expect(lines).toEqual([
    "  name      front-end",
    "  state     running",
    "  since     2026-01-05T09:00:00.000Z",
    "  restarts  0",
    "  image     govapp/x:dev",
    "  ports     3000",
    "",
    "Settings:",
    "  memory limit: 64 MiB",
    "      k8s/web.yaml:12:15",
    "  env TOKEN: (a secret)",
    "      k8s/web.yaml:20:9",
    "      k8s/s.yaml:3:1",
  ]);
});
