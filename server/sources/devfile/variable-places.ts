/** Where in a value variables may stand. A map names its keys. */
export type Places =
  | "text"
  /** Of a map, in its keys as in its values. */
  | "keys-and-values"
  | { readonly each: Places }
  | { readonly [key: string]: Places };

const texts = { each: "text" } as const;
const env = { each: { name: "text", value: "text" } } as const;
const endpoints = { each: { path: "text" } } as const;
const manifest = { uri: "text", inlined: "text", endpoints } as const;

const git = {
  remotes: "keys-and-values",
  checkoutFrom: { remote: "text", revision: "text" },
} as const;

const source = { git, github: git, zip: { location: "text" } } as const;
const project = { clonePath: "text", sparseCheckoutDirs: texts, ...source } as const;
const labeled = { label: "text" } as const;
const vscode = { uri: "text", inlined: "text" } as const;

/** devfile/api, `ValidateAndReplaceGlobalVariable`; and amounts of CPU, which it leaves out. */
export const variablePlaces: Places = {
  components: {
    each: {
      container: {
        image: "text",
        command: texts,
        args: texts,
        env,
        memoryLimit: "text",
        memoryRequest: "text",
        cpuLimit: "text",
        cpuRequest: "text",
        sourceMapping: "text",
        volumeMounts: { each: { path: "text" } },
        endpoints,
      },
      volume: { size: "text" },
      kubernetes: manifest,
      openshift: manifest,
      image: {
        imageName: "text",
        dockerfile: {
          uri: "text",
          devfileRegistry: { id: "text", registryUrl: "text" },
          git: { fileLocation: "text", ...git },
          buildContext: "text",
          args: texts,
        },
      },
    },
  },
  commands: {
    each: {
      exec: { commandLine: "text", workingDir: "text", env, ...labeled },
      apply: labeled,
      composite: labeled,
      vscodeTask: vscode,
      vscodeLaunch: vscode,
    },
  },
  projects: { each: project },
  starterProjects: { each: { description: "text", subDir: "text", ...source } },
  dependentProjects: { each: project },
};
