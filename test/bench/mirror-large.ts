import { pairOf, readAndCompare } from "./mirror-pair.ts";

// A process of its own: what it takes at most is the pair's and Node's alone.
const pair = pairOf(Number(process.argv[2]));
const began = performance.now();
const findings = readAndCompare(pair);
const ms = performance.now() - began;
// In KiB (getrusage(2)).
process.stdout.write(JSON.stringify({ findings, ms, peakKiB: process.resourceUsage().maxRSS }));
