import { posix } from "node:path";

/** Programs that start what they run again when a file of it changes. */
const watchers: ReadonlySet<string> = new Set([
  ...["nodemon", "node-dev", "ts-node-dev", "tsnd", "vite", "air", "reflex", "gin", "watchexec"],
  ...["entr", "watchfiles", "watchmedo", "cargo-watch", "live-server", "browser-sync", "rerun"],
  ...["guard", "shotgun", "fresh", "wgo", "webpack-dev-server"],
]);

/** Programs that read each file when somebody asks for it. */
const fileServers: ReadonlySet<string> = new Set([
  ...["nginx", "httpd", "apache2", "apache2-foreground", "apachectl", "caddy", "lighttpd"],
  ...["php-fpm", "thttpd", "darkhttpd", "static-web-server"],
]);

/** Words behind a program with which it starts itself again, in a row. */
const watchWords: readonly (readonly [program: RegExp, words: RegExp])[] = [
  [/^(node|bun|deno|tsx|tsc|dotnet|mix|sass)$/, / (--watch(-path)?|--hot|watch)( |=|$)/],
  [/^(next|nuxt|astro|remix|wrangler|gatsby)$/, / (dev|develop)( |$)/],
  [/^(ng|vue-cli-service|webpack|parcel)$/, / serve( |$)/],
  [/^webpack$/, / (--watch|-w)( |$)/],
  [/^(uvicorn|gunicorn|hypercorn|litestar|sanic)$/, / (--reload|--auto-reload|-r)( |$)/],
  [/^(flask|fastapi)$/, / (--debug|--reload|dev)( |$)/],
  [/^(php)$/, / -S /],
];

/** What starts another program and says nothing of it. */
const wrappers: ReadonlySet<string> = new Set([
  ...["tini", "dumb-init", "docker-entrypoint.sh", "env", "exec", "npx", "pnpx", "bunx", "poetry"],
  ...["pipenv", "uv", "bundle", "run", "--", "-g", "-s", "python", "python3", "-m", "dlx"],
]);

/** How a program comes to what changed on the disk. */
export type Reload =
  /** It looks by itself: `by` is the program that does. */
  { readonly kind: "itself"; readonly by: string } | { readonly kind: "restart" };

/**
 * Whether a service's program takes up a changed file by itself. Only what is known is said to:
 * a program that is started again without need has lost a second, one that is not shows what was.
 *
 * @param argv the whole argument vector, with the image's entry point
 * @param path of the file in the container: what a server reads at each request is no configuration
 */
export function reloadOf(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  path: string,
): Reload {
  const line = argv.length === 3 && isShell(argv) ? (argv[2] ?? "") : null;
  // Several commands in a row: which of them runs, only a shell can tell.
  if (line !== null && /[;&|<>`$(\n]/.test(line)) return { kind: "restart" };
  const words = line === null ? [...argv] : line.split(/\s+/);
  const at = words.findIndex((word) => !wrappers.has(posix.basename(word)) && !/^\w+=/.test(word));
  const program = posix.basename(words[at] ?? "").replace(/\.(c|m)?js$/, "");
  const rest = ` ${words.slice(at + 1).join(" ")}`;
  const itself: Reload = { kind: "itself", by: program };
  if (watchers.has(program)) return itself;
  if (fileServers.has(program)) return path.startsWith("/etc/") ? { kind: "restart" } : itself;
  if (watchWords.some(([name, word]) => name.test(program) && word.test(`${rest} `))) return itself;
  // https://flask.palletsprojects.com/en/stable/config/#DEBUG
  if (program === "flask" && env["FLASK_DEBUG"] === "1") return itself;
  // Its development server reloads unless it is told not to.
  const isDjango = program === "manage.py" && / runserver( |$)/.test(rest);
  return isDjango && !/ --noreload( |$)/.test(rest) ? itself : { kind: "restart" };
}

function isShell([shell = "", flag = ""]: readonly string[]): boolean {
  return /^(ba|da|a|z)?sh$/.test(posix.basename(shell)) && /^-[a-z]*c$/.test(flag);
}
