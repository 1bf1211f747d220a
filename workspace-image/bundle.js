// Makes dist/supervisor: the supervisor and the programs that ask it, a file each, and node-pty's
// native part beside them. The folder is all that a workspace needs of JavaScript; it is copied to
// /.oneloop/lib/supervisor.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const output = join(root, "dist/supervisor");
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));

/**
 * The supervisor uses the protocol's constants and types, and guards of its own instead of its
 * schemas (see guards.ts): zod would double the time of its start. In its place stands a thing that
 * lets schemas be made, and that cannot check anything.
 */
const withoutZod = {
  name: "without-zod",
  resolveId: (id) => (id === "zod" ? "\0no-zod" : null),
  load: (id) =>
    id === "\0no-zod"
      ? `const fail = () => { throw new Error("there is no zod in the supervisor"); };
         export const z = new Proxy(() => z, {
           get: (_, name) => (/parse/i.test(String(name)) ? fail : z),
         });`
      : null,
};

await rm(output, { recursive: true, force: true });
for (const [input, file] of [
  ["workspace-image/supervisor/main.ts", "supervisor.js"],
  ["workspace-image/client/main.ts", "client.js"],
]) {
  await build({
    input: join(root, input),
    platform: "node",
    // Optional native helpers of ws, which it does without.
    external: ["bufferutil", "utf-8-validate"],
    transform: { define: { oneloopVersion: JSON.stringify(version) } },
    plugins: [withoutZod],
    output: {
      file: join(output, file),
      // CommonJS: an import of node:http as a module evaluates its getters, which load undici.
      format: "cjs",
      codeSplitting: false,
      minify: { mangle: false, compress: true, codegen: { removeWhitespace: false } },
    },
  });
}

const prebuild = `node-pty/prebuilds/linux-${process.arch}`;
const target = join(output, "node_modules", prebuild);
await mkdir(target, { recursive: true });
await cp(join(root, "node_modules", prebuild, "pty.node"), join(target, "pty.node"));
// A folder above may say that its files are ES modules.
await writeFile(join(output, "package.json"), '{ "type": "commonjs" }\n');
