/** Longer than an echo takes whose way is free: one that has not come by then waits for something else. */
const mostMs = 4;

/** An echo whose way is free takes less than half of this. */
const lateMs = 2;

/** What comes so late is none: the end of a command, or the program shows nothing of what is typed. */
const noEchoMs = 100;

/** For so long after a late echo there are taken to be too few processors for all that goes on. */
const scarceMs = 5_000;

/** Who has typed so lately types on. */
const typingMs = 500;

/** Of about twice the time that 128 KiB, a turn, take on their way. */
const restMs = 1;

let timer: NodeJS.Timeout | null = null;
let began = 0;
let notBefore = 0;
let typedAt = -Infinity;
let scarceUntil = -Infinity;
/** Of the first keystroke that nothing was shown for yet. */
let askedAt: number | null = null;
const resting: (() => void)[] = [];

/**
 * Somebody typed: all that moves much rests until something is shown, as its next pieces, on all of
 * their way, would have the processors first. For some ms at most, and never for more than half of
 * the time, whatever is typed.
 */
export function awaitEcho(): void {
  const now = performance.now();
  typedAt = now;
  askedAt ??= now;
  if (timer !== null || now < notBefore) return;
  began = now;
  timer = setTimeout(free, mostMs);
}

/** Something was shown. */
export function echoCame(): void {
  if (askedAt === null) return;
  const now = performance.now();
  const tookMs = now - askedAt;
  askedAt = null;
  if (tookMs > lateMs && tookMs < noEchoMs) scarceUntil = now + scarceMs;
  if (timer !== null) free();
}

function free(): void {
  if (timer === null) return;
  clearTimeout(timer);
  timer = null;
  const now = performance.now();
  notBefore = now + (now - began);
  for (const goOn of resting.splice(0)) goOn();
}

export function echoIsAwaited(): boolean {
  return timer !== null;
}

/** Calls back once: now, where no echo is awaited. */
export function afterEcho(goOn: () => void): void {
  if (timer === null) goOn();
  else resting.push(goOn);
}

/**
 * How long, in ms, what moves much should rest after each turn: none, but while somebody types whose
 * echoes came late. All processes of a transfer's way rest with it, and one that has rested is the
 * kernel's next choice when a keystroke wakes it, where one that never did waits for the others' slices.
 */
export function restAfterTurnMs(): number {
  const now = performance.now();
  return now < scarceUntil && now - typedAt < typingMs ? restMs : 0;
}
