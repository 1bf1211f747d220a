import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createLog } from "../../../server/util/log.ts";

it("shows what a stranger said in a line of its own, and steers no terminal by it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ol-log-"));
  try {
    const file = join(folder, "log");
    const said =
      '\u001B[2J\u009B31m\u007F\u202Etxt.exe\n{"level":60,"msg":"forged"}\r\u0000 <script>1</script> Grüße';
    const log = createLog({ level: "info", file });
    log.warn({ err: new Error(said), said }, said);
    const text = await readFile(file, "utf8");
    expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/u);
    expect(JSON.parse(text)).toMatchObject({ level: 40, said, msg: said, err: { message: said } });
    expect(text).toContain("Grüße");
  } finally {
    await rm(folder, { recursive: true });
  }
});
