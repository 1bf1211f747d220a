import { z } from "zod";
import { Grammar, id, may, need, record, text } from "./schema-parts.ts";
import type { DocumentKind, Field } from "./schema-parts.ts";
import type { Version } from "./version.ts";

const flag = z.boolean();
const texts = z.array(text);
/** What tools may put there; nothing is known of it. */
const anything = z.looseObject({});

const since21 = { since: [2, 1, 0] } as const;
const since22 = { since: [2, 2, 0] } as const;
const until21 = { until: [2, 1, 0] } as const;

const made = new Map<string, z.ZodType>();

/**
 * The shape of a devfile, or of a part of one, in a schema version: types, keys, what must be there,
 * closed lists, names. As in the JSON schemas that devfile/api publishes for each version; `custom`
 * components stand in its API only, and are taken in devfiles too.
 *
 * A `template` has neither version nor metadata, and `plugin` components. Overrides are what `parent`
 * and `plugin` may change: all in them but names is optional.
 */
export function documentSchema(kind: DocumentKind, version: Version): z.ZodType {
  const key = `${kind} ${version.join(".")}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const schema = makeDocument(new Grammar(kind, version));
  made.set(key, schema);
  return schema;
}

function makeDocument(grammar: Grammar): z.ZodType {
  switch (grammar.kind) {
    case "devfile":
      return grammar.object({
        schemaVersion: id(z.string().regex(schemaVersion)),
        metadata: may(metadata(grammar)),
        ...topLists(grammar),
        events: may(events(grammar)),
        parent: may(reference(grammar.as("parent-overrides"), { one: "parent", names: grammar })),
      });
    case "template":
      return grammar.object({
        ...topLists(grammar),
        events: may(events(grammar)),
        parent: may(reference(grammar.as("parent-overrides"), { one: "parent", names: grammar })),
      });
    case "parent-overrides":
      return grammar.object(topLists(grammar));
    case "plugin-overrides":
      return grammar.object(pluginLists(grammar));
  }
}

const semver =
  "([0-9]+)\\.([0-9]+)(\\-[0-9a-z-]+(\\.[0-9a-z-]+)*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?";
const schemaVersion = new RegExp(`^([2-9])\\.${semver}$`);
const ownVersion = new RegExp(`^([0-9]+)\\.${semver}$`);
/** As it is written there: what begins with "latest" fits, and what ends with a version. */
const stackVersion = new RegExp(`^(latest)|(([1-9])\\.${semver})$`);

function metadata(grammar: Grammar): z.ZodType {
  const architecture = z.enum(["amd64", "arm64", "ppc64le", "s390x"]);
  return grammar.object(
    {
      name: may(text),
      version: may(z.string().regex(ownVersion)),
      displayName: may(text),
      description: may(text),
      tags: may(texts),
      icon: may(text),
      globalMemoryLimit: may(text),
      attributes: may(anything),
      language: may(text, since21),
      projectType: may(text, since21),
      website: may(text, since21),
      provider: may(text, since22),
      supportUrl: may(text, since22),
      architectures: may(
        z.array(architecture).refine((list) => new Set(list).size === list.length, {
          params: { code: "duplicate-value" },
        }),
        since22,
      ),
    },
    { open: true },
  );
}

function topLists(grammar: Grammar): Record<string, Field> {
  return {
    ...pluginLists(grammar),
    projects: may(z.array(project(grammar, { clonePath: may(text) }))),
    starterProjects: may(z.array(project(grammar, { description: may(text), subDir: may(text) }))),
    dependentProjects: may(z.array(project(grammar, { clonePath: may(text) })), {
      since: [2, 2, 2],
    }),
    attributes: may(anything, since21),
    variables: may(record(text), since21),
  };
}

function pluginLists(grammar: Grammar): Record<string, Field> {
  return {
    components: may(z.array(component(grammar))),
    commands: may(z.array(command(grammar))),
  };
}

function component(grammar: Grammar): z.ZodType {
  const custom = grammar.object({
    componentClass: need(text),
    embeddedResource: need(anything),
  });
  return grammar.object(
    {
      name: id(grammar.name()),
      attributes: may(anything),
      container: may(container(grammar)),
      volume: may(grammar.object({ size: may(text), ephemeral: may(flag, since21) })),
      kubernetes: may(manifest(grammar)),
      openshift: may(manifest(grammar)),
      image: may(image(grammar), since22),
      ...plugin(grammar),
      ...(grammar.partial ? {} : { custom: may(custom) }),
    },
    {
      exactlyOne: {
        one: "component",
        of: ["container", "volume", "kubernetes", "openshift", "plugin", "image", "custom"],
        example: "`container:` or `volume:` with its settings",
      },
    },
  );
}

/** There are no plugins in what a plugin overrides. */
function plugin(grammar: Grammar): Record<string, Field> {
  if (grammar.kind === "plugin-overrides") return {};
  const overrides = grammar.as("plugin-overrides");
  const schema = reference(overrides, { one: "plugin", names: grammar });
  return { plugin: may(schema, grammar.plugins) };
}

function container(grammar: Grammar): z.ZodType {
  return grammar.object({
    image: need(text),
    command: may(texts),
    args: may(texts),
    env: may(env(grammar)),
    memoryLimit: may(text),
    memoryRequest: may(text, since21),
    cpuLimit: may(text, since21),
    cpuRequest: may(text, since21),
    mountSources: may(flag),
    sourceMapping: may(text),
    dedicatedPod: may(flag),
    volumeMounts: may(z.array(grammar.object({ name: id(grammar.name()), path: may(text) }))),
    endpoints: may(endpoints(grammar)),
    annotation: may(
      grammar.object({ deployment: may(record(text)), service: may(record(text)) }),
      since22,
    ),
  });
}

function env(grammar: Grammar): z.ZodType {
  return z.array(grammar.object({ name: id(text), value: need(text) }));
}

function endpoints(grammar: Grammar): z.ZodType {
  return z.array(
    grammar.object({
      name: id(grammar.endpointName()),
      targetPort: need(z.int()),
      exposure: may(z.enum(["public", "internal", "none"])),
      protocol: may(z.enum(["http", "https", "ws", "wss", "tcp", "udp"])),
      secure: may(flag),
      path: may(text),
      attributes: may(anything),
      annotation: may(record(text), since22),
    }),
  );
}

function manifest(grammar: Grammar): z.ZodType {
  return grammar.object(
    {
      uri: may(text),
      inlined: may(text),
      endpoints: may(endpoints(grammar)),
      deployByDefault: may(flag, since22),
    },
    {
      exactlyOne: {
        one: "manifest",
        of: ["uri", "inlined"],
        example: "`uri:` with its file, or `inlined:`",
      },
    },
  );
}

function image(grammar: Grammar): z.ZodType {
  const dockerfile = grammar.object(
    {
      uri: may(text),
      devfileRegistry: may(grammar.object({ id: need(text), registryUrl: may(text) })),
      git: may(git(grammar, { fileLocation: may(text) })),
      buildContext: may(text),
      args: may(texts),
      rootRequired: may(flag),
    },
    {
      exactlyOne: {
        one: "dockerfile",
        of: ["uri", "devfileRegistry", "git"],
        example: "`uri:` with its path",
      },
    },
  );
  const fields = { imageName: need(text), dockerfile: may(dockerfile), autoBuild: may(flag) };
  return grammar.object(fields, {
    exactlyOne: {
      one: "image",
      // The published schemas of overrides have it so.
      of: grammar.partial ? ["dockerfile", "autoBuild"] : ["dockerfile"],
      example: "`dockerfile:` with its `uri`",
    },
  });
}

function command(grammar: Grammar): z.ZodType {
  const group = may(
    grammar.object({
      kind: need(
        z.enum(
          grammar.has(since22)
            ? ["build", "run", "test", "debug", "deploy"]
            : ["build", "run", "test", "debug"],
        ),
      ),
      isDefault: may(flag),
    }),
  );
  const common = { label: may(text), group };
  const vscode = grammar.object(
    { uri: may(text), inlined: may(text), group },
    { exactlyOne: { one: "task", of: ["uri", "inlined"], example: "`inlined:` with its text" } },
  );
  return grammar.object(
    {
      id: id(grammar.name()),
      attributes: may(anything),
      exec: may(
        grammar.object({
          ...common,
          component: need(text),
          commandLine: need(text),
          workingDir: may(text),
          env: may(env(grammar)),
          hotReloadCapable: may(flag),
        }),
      ),
      apply: may(grammar.object({ ...common, component: need(text) })),
      composite: may(grammar.object({ ...common, commands: may(texts), parallel: may(flag) })),
      vscodeTask: may(vscode, until21),
      vscodeLaunch: may(vscode, until21),
    },
    {
      exactlyOne: {
        one: "command",
        of: ["exec", "composite", "apply", "vscodeTask", "vscodeLaunch"],
        example: "`exec:` or `composite:` with its settings",
      },
    },
  );
}

function events(grammar: Grammar): z.ZodType {
  return grammar.object({
    preStart: may(texts),
    postStart: may(texts),
    preStop: may(texts),
    postStop: may(texts),
  });
}

function project(grammar: Grammar, more: Record<string, Field>): z.ZodType {
  return grammar.object(
    {
      name: id(grammar.name()),
      attributes: may(anything),
      ...more,
      ...("clonePath" in more ? { sparseCheckoutDirs: may(texts, until21) } : {}),
      git: may(git(grammar, {})),
      github: may(git(grammar, {}), until21),
      zip: may(grammar.object({ location: may(text) })),
    },
    {
      exactlyOne: {
        one: "project",
        of: ["git", "zip", "github"],
        example: "`git:` with its remotes",
      },
    },
  );
}

function git(grammar: Grammar, more: Record<string, Field>): z.ZodType {
  return grammar.object({
    ...more,
    remotes: need(record(text)),
    checkoutFrom: may(grammar.object({ remote: may(text), revision: may(text) })),
  });
}

/** @param names The grammar of the document that has the reference in it. */
function reference(
  overrides: Grammar,
  { one, names }: { one: "parent" | "plugin"; names: Grammar },
): z.ZodType {
  return names.object(
    {
      uri: may(text),
      id: may(text),
      kubernetes: may(names.object({ name: need(text), namespace: may(text) })),
      registryUrl: may(text),
      version: may(z.string().regex(stackVersion), since22),
      ...(one === "parent" ? topLists(overrides) : pluginLists(overrides)),
    },
    {
      exactlyOne: {
        one,
        of: ["uri", "id", "kubernetes"],
        example: "`uri:` with its file, or `id:` of a registry",
      },
    },
  );
}
