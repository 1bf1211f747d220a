import { sql } from "drizzle-orm";
import {
  bigserial,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { ErrorCode } from "../protocol/errors.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { DetectedPort } from "../protocol/control.ts";
import type {
  DesiredState,
  PortVisibility,
  ServiceHealth,
  ServiceState,
  WorkCounts,
  WorkspaceState,
} from "../protocol/workspace.ts";

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const at = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const createdAt = () => at("created_at").notNull().defaultNow();

export const users = pgTable("users", {
  id: text("id").primaryKey(),
  name: text("name").notNull().unique(),
  role: text("role").$type<"owner" | "member">().notNull(),
  /** What git puts into commits; null until the person was asked. */
  commitName: text("commit_name"),
  commitEmail: text("commit_email"),
  /** The repository of the person's dotfiles; null for none. */
  dotfilesUrl: text("dotfiles_url"),
  createdAt: createdAt(),
});

/** What a person's git needs to reach private repositories of a host. */
export const credentials = pgTable(
  "credentials",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** In lower case, with `:port` where it is not the scheme's own. */
    host: text("host").notNull(),
    username: text("username").notNull(),
    /** Sealed with a key that derives from ONELOOP_SECRET_KEY. */
    secret: bytea("secret").notNull(),
    createdAt: createdAt(),
    lastUsedAt: at("last_used_at"),
  },
  (table) => [uniqueIndex("credentials_host").on(table.userId, table.host)],
);

/** Environment variables of a person, for the workspaces whose repository fits the pattern. */
export const variables = pgTable(
  "variables",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** Of repositories as `host/owner/repo`, with `*` for any text; `*` fits all. */
    pattern: text("pattern").notNull(),
    /** Sealed, whether it is a secret or not. */
    value: bytea("value").notNull(),
    /** Never shown again. */
    secret: boolean("secret").notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex("variables_name").on(table.userId, table.name, table.pattern)],
);

/** Which of a repository's configurations a person works with, where it has several. */
export const configurationChoices = pgTable(
  "configuration_choices",
  {
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** What its cache is found by, too. */
    repository: text("repository").notNull(),
    /** In the repository. */
    path: text("path").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.repository] })],
);

/** One-time codes: the sign-in links, and the local one of the command line. Only hashes are kept. */
export const signInCodes = pgTable("sign_in_codes", {
  /** SHA-256 of the code. */
  hash: bytea("hash").primaryKey(),
  userId: text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  /** `local`: kept in a file that only the operator's own account can read. */
  purpose: text("purpose").$type<"link" | "local">().notNull(),
  expiresAt: at("expires_at").notNull(),
});

/** Sessions of browsers and tokens of the command line. Only hashes are kept. */
export const tokens = pgTable(
  "tokens",
  {
    id: text("id").primaryKey(),
    hash: bytea("hash").notNull().unique(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text("kind").$type<"session" | "token">().notNull(),
    name: text("name").notNull(),
    createdAt: createdAt(),
    /** To the minute. */
    lastUsedAt: at("last_used_at"),
    expiresAt: at("expires_at").notNull(),
  },
  (table) => [index("tokens_user").on(table.userId)],
);

/** One-time codes that sign in by ssh: one for each session or token, and gone with it. */
export const sshCodes = pgTable("ssh_codes", {
  /** The session or token that asked for it. */
  tokenId: text("token_id")
    .primaryKey()
    .references(() => tokens.id, { onDelete: "cascade" }),
  /** SHA-256 of the code. */
  hash: bytea("hash").notNull().unique(),
  expiresAt: at("expires_at").notNull(),
});

export const sshKeys = pgTable(
  "ssh_keys",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    type: text("type").notNull(),
    /** The key's wire form (RFC 4253 section 6.6). */
    blob: bytea("blob").notNull(),
    fingerprint: text("fingerprint").notNull(),
    createdAt: createdAt(),
  },
  // A key says who the person is: it can belong to one person only.
  (table) => [uniqueIndex("ssh_keys_blob").on(table.blob)],
);

/** Where workspaces run. One row now; a workspace names its machine from the beginning. */
export const machines = pgTable("machines", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  engine: text("engine").notNull(),
  createdAt: createdAt(),
});

export const workspaces = pgTable(
  "workspaces",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull().unique(),
    ownerId: text("owner_id")
      .notNull()
      .references(() => users.id),
    machineId: text("machine_id")
      .notNull()
      .references(() => machines.id),
    contextUrl: text("context_url").notNull(),
    repository: text("repository").notNull(),
    /** The full ref; null for a bare commit. */
    ref: text("ref"),
    commit: text("commit").notNull(),
    plan: jsonb("plan").$type<WorkspacePlan>().notNull(),
    desired: text("desired").$type<DesiredState>().notNull(),
    state: text("state").$type<WorkspaceState>().notNull(),
    errorCode: text("error_code").$type<ErrorCode>(),
    errorMessage: text("error_message"),
    /** What listens inside, as the workspace said it last; empty while it does not run. */
    ports: jsonb("ports").$type<DetectedPort[]>().notNull().default([]),
    /** Commits of the remote's branch that the workspace's last asked commit lacks; null: not known. */
    behind: integer("behind"),
    /** Work that exists only here, as it was counted last; null: not counted yet. */
    work: jsonb("work").$type<WorkCounts>(),
    /** The source volume holds a whole checkout: no later start touches it. */
    checkedOut: boolean("checked_out").notNull().default(false),
    /** By name: containers of a stop that has begun, which are still to run after it; null: none. */
    afterStop: jsonb("after_stop").$type<string[]>(),
    /** Set when a force-delete was asked for: the check for unsaved work is then over. */
    deleteForced: boolean("delete_forced").notNull().default(false),
    /** Raised by each new lease: a holder whose generation is old writes nothing any more. */
    generation: integer("generation").notNull().default(0),
    leaseHolder: text("lease_holder"),
    leaseUntil: at("lease_until"),
    createdAt: createdAt(),
    lastUsedAt: at("last_used_at").notNull().defaultNow(),
  },
  (table) => [
    // One workspace is user + repository + full ref.
    uniqueIndex("workspaces_of_ref")
      .on(table.ownerId, table.repository, sql`coalesce(${table.ref}, ${table.commit})`)
      .where(sql`${table.desired} <> 'deleted'`),
    index("workspaces_owner").on(table.ownerId),
  ],
);

/** By which configuration a workspace was opened: what its repository has may be another one now. */
export const workspaceConfigurations = pgTable("workspace_configurations", {
  workspaceId: text("workspace_id")
    .primaryKey()
    .references(() => workspaces.id, { onDelete: "cascade" }),
  /** In the repository. */
  path: text("path").notNull(),
  /** The text that was given in the place of the repository's; null: the commit has it. */
  given: text("given"),
});

/** Engines whose containers descriptions are compared with. They are looked at, and never changed. */
export const environments = pgTable("environments", {
  id: text("id").primaryKey(),
  name: text("name").notNull().unique(),
  dockerHost: text("docker_host").notNull(),
  /** A folder of this machine with what TLS needs; null: none. */
  certificates: text("certificates"),
  /** The Compose project that is meant; null: whoever compares says so, where there are several. */
  project: text("project"),
  createdAt: createdAt(),
});

/** Who may see a port, where the user said so; a port without a row is private. */
export const portSettings = pgTable(
  "port_settings",
  {
    workspaceId: text("workspace_id")
      .notNull()
      .references(() => workspaces.id, { onDelete: "cascade" }),
    /** Empty for the dev container and what shares its network. */
    service: text("service").notNull(),
    port: integer("port").notNull(),
    visibility: text("visibility").$type<PortVisibility>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.service, table.port] })],
);

/**
 * How far the mirrored services of a running workspace are, as its runner saw it last. There are none
 * while it does not run: each start begins anew.
 */
export const workspaceServices = pgTable(
  "workspace_services",
  {
    workspaceId: text("workspace_id")
      .notNull()
      .references(() => workspaces.id, { onDelete: "cascade" }),
    service: text("service").notNull(),
    state: text("state").$type<ServiceState>().notNull(),
    health: text("health").$type<ServiceHealth>(),
    reason: text("reason"),
    restarts: integer("restarts").notNull(),
    since: at("since").notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.service] })],
);

/** Images that came from a registry, as far as it is known whether everybody may read them. */
export const registryImages = pgTable("registry_images", {
  /** As `registry/repository@digest`: what it is never changes. */
  image: text("image").primaryKey(),
  isPublic: boolean("is_public").notNull(),
  createdAt: createdAt(),
});

/**
 * Ids of workspaces that nobody has asked for yet, whose containers and empty volumes were made
 * ahead. A row goes when its id becomes a workspace, or when what was made is removed.
 */
export const preparedWorkspaces = pgTable("prepared_workspaces", {
  id: text("id").primaryKey(),
  /** The control plane that made it. */
  holder: text("holder").notNull(),
  createdAt: createdAt(),
});

export const events = pgTable(
  "events",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    workspaceId: text("workspace_id")
      .notNull()
      .references(() => workspaces.id, { onDelete: "cascade" }),
    at: at("at").notNull().defaultNow(),
    level: text("level").$type<"info" | "warning" | "error">().notNull(),
    code: text("code").notNull(),
    message: text("message").notNull(),
    file: text("file"),
    line: integer("line"),
    column: integer("column"),
  },
  (table) => [index("events_workspace").on(table.workspaceId, table.id)],
);
