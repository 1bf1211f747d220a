// What `npm start` shows: on a terminal one line in place for what is running, into a pipe plain
// lines. Plain JavaScript, because it runs before the dependencies exist.
import { createInterface } from "node:readline/promises";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
/** In a pipe, a step that is still running after this says so: else minutes pass in silence. */
const announceAfterMs = 2000;
/** How much of a failed program's output is shown: enough for the error and what led to it. */
const shownOutputLines = 40;

/** A step's failure: a sentence that says what to do, and the output that shows why. */
export class StepFailure extends Error {
  constructor(message, { output = [], cause } = {}) {
    super(message, { cause });
    this.output = output;
  }
}

/**
 * @param {NodeJS.WriteStream} stream
 * @param {NodeJS.ReadStream} input where answers come from.
 */
export function createSteps(stream, input = process.stdin) {
  const inPlace = stream.isTTY;
  /** Running steps, the one that spoke last at the end. */
  const running = new Map();
  let spinner;
  let frame = 0;
  let held = false;

  const line = (text) => stream.write(`${text}\n`);

  function draw() {
    if (!inPlace || held) return;
    const latest = [...running].at(-1);
    stream.write("\r\u001B[K");
    if (latest === undefined) return;
    const [title, detail] = latest;
    const text = detail === "" ? `${title} …` : `${title}: ${detail}`;
    frame = (frame + 1) % frames.length;
    stream.write(`${frames[frame]} ${text.slice(0, Math.max(10, (stream.columns || 80) - 3))}`);
  }

  function print(text) {
    if (inPlace) stream.write("\r\u001B[K");
    line(text);
    draw();
  }

  async function run(title, task) {
    let note = "";
    const began = performance.now();
    const speak = (detail) => {
      running.delete(title);
      running.set(title, detail.replaceAll(/\p{Cc}/gu, " ").trim());
      draw();
    };
    speak("");
    if (inPlace) spinner ??= setInterval(draw, frameMs);
    const announce = inPlace ? undefined : setTimeout(line, announceAfterMs, `… ${title}`);
    let mark = "✗";
    try {
      const result = await task({ say: speak, note: (text) => (note = text) });
      mark = "✓";
      return result;
    } finally {
      clearTimeout(announce);
      running.delete(title);
      if (running.size === 0) {
        clearInterval(spinner);
        spinner = undefined;
      }
      const took = formatDuration(performance.now() - began);
      print(`${mark} ${title}${note === "" ? "" : `: ${note}`} (${took})`);
    }
  }

  /** Asks a yes-or-no question; `null` where nobody can answer. */
  async function ask(question) {
    if (!inPlace || !input.isTTY) return null;
    held = true;
    stream.write("\r\u001B[K");
    const lines = createInterface({ input, output: stream });
    try {
      const answer = await lines.question(`${question} [Y/n] `);
      return /^(y(es)?)?$/i.test(answer.trim());
    } finally {
      lines.close();
      held = false;
    }
  }

  function fail(error) {
    const output = error instanceof Error && Array.isArray(error.output) ? error.output : [];
    if (output.length > 0)
      line(
        shorten(output)
          .map((text) => `    ${text}`)
          .join("\n"),
      );
    line(`\n${error instanceof Error ? error.message : String(error)}`);
    const known = error instanceof StepFailure || error?.name === "OneloopError";
    if (!known && error instanceof Error) line(error.stack ?? "");
    for (let cause = error?.cause; cause instanceof Error; cause = cause.cause) {
      line(`  because: ${cause.message}`);
    }
  }

  return { run, ask, fail, print };
}

/** The beginning too: npm says first what is wrong, and then how it is used. */
function shorten(output) {
  if (output.length <= shownOutputLines) return output;
  const first = output.slice(0, shownOutputLines / 4);
  return [...first, "…", ...output.slice(-(shownOutputLines - first.length - 1))];
}

function formatDuration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
