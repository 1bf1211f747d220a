import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseAst } from "rolldown/parseAst";

/** A node of the syntax tree, as far as it is looked at here. */
interface Syntax {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Row {
  readonly file: string;
  /** The groups around the test, outermost first. */
  readonly groups: readonly string[];
  readonly test: string;
}

/** What stands for a value that only a run would know. */
const unknown = "…";

/**
 * The names of all tests of a folder, as a table in Markdown: what its reader may rely on. They are
 * read from the source, because to load the files takes longer than everything else of the page.
 */
export function conformanceTable(folder: string): string {
  const rows = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .toSorted()
    .flatMap((name) => rowsOf(join(folder, name)));
  const lines = rows.map(({ file, groups, test }) =>
    [file, groups.join(", "), test].map((cell) => escaped(cell)).join(" | "),
  );
  return ["tests | of | what holds", "--- | --- | ---", ...lines]
    .map((line) => `| ${line} |`)
    .join("\n");
}

function rowsOf(path: string): Row[] {
  const program = parseAst(readFileSync(path, "utf8"), { lang: "ts" }) as unknown as Syntax;
  const constants = new Map<string, Syntax>();
  for (const node of nodesIn(program)) {
    if (node.type === "VariableDeclarator" && isSyntax(node["id"]) && isSyntax(node["init"])) {
      constants.set(String(node["id"]["name"]), node["init"]);
    }
  }
  const file = basename(path, ".test.ts");
  return testsIn(program, constants).map((names) => ({
    file,
    groups: names.slice(0, -1),
    test: names.at(-1) ?? "",
  }));
}

/** Names of tests with their groups', outermost first. */
function testsIn(within: Syntax, constants: ReadonlyMap<string, Syntax>): string[][] {
  const call = namedCall(within);
  const inner = children(within);
  if (call === null) return inner.flatMap((child) => testsIn(child, constants));
  const names = call.cases === null ? [[]] : casesOf(call.cases, constants);
  const titles = names.map((values) => filled(call.name, values));
  if (call.kind !== "describe") return titles.map((title) => [title]);
  const tests = inner.flatMap((child) => testsIn(child, constants));
  return titles.flatMap((title) => tests.map((test) => [title, ...test]));
}

/** `describe("…", …)`, `test.each(cases)("…", …)` and the like. */
function namedCall(
  node: Syntax,
): { kind: "describe" | "test"; name: string; cases: Syntax | null } | null {
  if (node.type !== "CallExpression") return null;
  const [first] = node["arguments"] as Syntax[];
  const name = first === undefined ? null : textOf(first);
  let callee = node["callee"] as Syntax;
  let cases: Syntax | null = null;
  if (callee.type === "CallExpression") {
    cases = (callee["arguments"] as Syntax[])[0] ?? null;
    callee = callee["callee"] as Syntax;
  }
  while (callee.type === "MemberExpression") callee = callee["object"] as Syntax;
  const kind = callee["name"];
  if (name === null || (kind !== "describe" && kind !== "test")) return null;
  return { kind, name, cases };
}

/** The values of each case, as far as they stand in the source. */
function casesOf(node: Syntax, constants: ReadonlyMap<string, Syntax>): string[][] {
  const list = resolved(node, constants);
  if (list.type !== "ArrayExpression") return [[]];
  return (list["elements"] as Syntax[]).map((element) => {
    const one = resolved(element, constants);
    const values = one.type === "ArrayExpression" ? (one["elements"] as Syntax[]) : [one];
    return values.map((value) => textOf(resolved(value, constants)) ?? unknown);
  });
}

function resolved(node: Syntax, constants: ReadonlyMap<string, Syntax>): Syntax {
  if (node.type === "TSAsExpression") return resolved(node["expression"] as Syntax, constants);
  const constant = node.type === "Identifier" ? constants.get(String(node["name"])) : undefined;
  return constant === undefined ? node : resolved(constant, constants);
}

function filled(name: string, values: readonly string[]): string {
  const left = [...values];
  return name.replaceAll(/%[sdifjo]|\$[a-z]\w*/g, () => left.shift() ?? unknown);
}

function textOf(node: Syntax): string | null {
  if (node.type === "Literal") return String(node["value"]);
  if (node.type !== "TemplateLiteral") return null;
  const quasis = node["quasis"] as { value: { cooked: string } }[];
  return quasis.map(({ value }) => value.cooked).join(unknown);
}

function* nodesIn(node: Syntax): Generator<Syntax> {
  yield node;
  for (const child of children(node)) yield* nodesIn(child);
}

function children(node: Syntax): Syntax[] {
  return Object.values(node)
    .flat()
    .filter((value) => isSyntax(value));
}

function isSyntax(value: unknown): value is Syntax {
  return value !== null && typeof value === "object" && "type" in value;
}

/** A cell of a table, in which a name means nothing but itself. */
function escaped(text: string): string {
  return text.replaceAll(/[\\|*_<>`[\]~]/g, (character) => `\\${character}`);
}
