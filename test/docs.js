// `npm run docs`: writes the README's table of settings from their one declaration.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("../README.md", import.meta.url));
const { settingsTable } = await import("../dist/server/util/settings.js");
const text = readFileSync(file, "utf8");
const table = settingsTable();
writeFileSync(
  file,
  text.replace(
    /<!-- settings -->[^]*<!-- \/settings -->/,
    () => `<!-- settings -->\n\n${table}\n\n<!-- /settings -->`,
  ),
);
