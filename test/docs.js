// `npm run docs`: writes the parts of the documentation that are made from something else, in a built
// checkout: the README's table of settings from their one declaration, and the page on ssh's table of
// what holds from the names of its tests.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Writes what stands between `<!-- part -->` and `<!-- /part -->` of a file. */
function write(name, part, made) {
  const text = readFileSync(path(name), "utf8");
  const between = new RegExp(`<!-- ${part} -->[^]*<!-- /${part} -->`);
  const written = `<!-- ${part} -->\n\n${made}\n\n<!-- /${part} -->`;
  writeFileSync(
    path(name),
    text.replace(between, () => written),
  );
}

const { settingsTable } = await import("../dist/server/util/settings.js");
const { conformanceTable } = await import("../dist/test/helpers/conformance-list.js");
write("README.md", "settings", settingsTable());
write("docs/ssh.md", "conformance", conformanceTable(path("test/conformance/ssh")));
