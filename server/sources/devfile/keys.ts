/** The kinds of a component: each has exactly one of them. Which version has which, the schema says. */
export const componentKinds = [
  "container",
  "volume",
  "kubernetes",
  "openshift",
  "plugin",
  "image",
  "custom",
] as const;

/** The kinds of a command: each has exactly one of them. */
export const commandKinds = ["exec", "composite", "apply", "vscodeTask", "vscodeLaunch"] as const;

export const eventNames = ["preStart", "postStart", "preStop", "postStop"] as const;

/** Where a project comes from: each has exactly one of them. */
export const projectKinds = ["git", "zip", "github"] as const;
