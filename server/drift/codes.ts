import type { DriftClass } from "../protocol/drift.ts";

interface Code {
  readonly class: DriftClass;
  /** Why it matters, in a sentence. */
  readonly why: string;
}

const breaking = (why: string): Code => ({ class: "breaking", why });
const behavioural = (why: string): Code => ({ class: "behavioural", why });
const info = (why: string): Code => ({ class: "info", why });

/** Every kind of finding. */
export const codes = {
  "missing-service": breaking("What calls it works on one side only."),
  engine: breaking("Another engine takes other statements, and keeps data in another way."),
  "engine-version": breaking("Major versions differ in what they accept and in their files."),
  "dead-address": breaking("A connection to it is refused, or its name is not found."),
  "env-key": breaking("A program that reads the variable finds it on one side only."),
  "secret-literal": breaking("A secret that stands in a file is not the one that is rotated."),
  persistence: breaking("What is written there outlives the container on one side only."),
  command: breaking("Another program runs, or the same one otherwise."),
  user: breaking("Another user may read and write other files."),
  "read-only-root": breaking("Writes outside the volumes fail on one side only."),
  capabilities: breaking("What the kernel lets the program do differs."),
  "host-access": breaking("One side reaches the machine itself."),
  "memory-limit": breaking("The program is killed on one side where it lives on the other."),
  platform: breaking("Programs built for one processor do not run on the other."),
  "denied-edge": breaking("A network policy refuses this connection on one side only."),
  "cpu-limit": behavioural("The program is slowed down at another load."),
  replicas: behavioural("What holds state in one process shows only with several."),
  probe: behavioural("It counts as ready, or is restarted, at other moments."),
  "start-order": behavioural("On one side it may start before what it needs."),
  "side-container": behavioural("What runs before or beside it changes what it sees."),
  route: behavioural("Requests from outside reach it on one side only."),
  tls: behavioural("Cookies, redirects and schemes differ behind TLS."),
  image: info("Other code runs, unless both are built from the same source."),
  "env-value": info("The program is set otherwise."),
  port: info("It listens on another port; all that call it must say so."),
  "config-file": info("The program reads other settings from a file."),
  "working-dir": info("Relative paths begin elsewhere."),
  requests: info("It is placed and weighed otherwise."),
  unknown: { class: "unknown", why: "One side does not say it, so nothing can be compared." },
} as const satisfies Record<string, Code>;

export type FindingCode = keyof typeof codes;
