// Owns a PostgreSQL until somebody kills it: a program for tests. Argument: the database's folder.
import { startPostgres } from "../../server/start/postgres.ts";
import { systemExecer } from "../../server/util/execer.ts";

const [, , folder = ""] = process.argv;
await startPostgres(folder, { execer: systemExecer });
console.log("ready");
// Nothing of the server keeps a process alive: this does.
setInterval(() => undefined, 1_000_000);
