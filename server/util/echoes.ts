/** Longer than an echo takes whose way is free: one that has not come by then waits for something else. */
const mostMs = 4;

let timer: NodeJS.Timeout | null = null;
let began = 0;
let notBefore = 0;
const resting: (() => void)[] = [];

/**
 * Somebody typed: all that moves much rests until something is shown, as its next pieces, on all of
 * their way, would have the processors first. For some ms at most, and never for more than half of
 * the time, whatever is typed.
 */
export function awaitEcho(): void {
  const now = performance.now();
  if (timer !== null || now < notBefore) return;
  began = now;
  timer = setTimeout(echoCame, mostMs);
}

export function echoCame(): void {
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
