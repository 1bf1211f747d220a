/** What `npm start` shows; made by steps.js, which runs before the dependencies exist. */
export interface Steps {
  /** Runs a task as one line of output that says how long it took. */
  run<Result>(title: string, task: (step: Step) => Promise<Result>): Promise<Result>;
  /** Asks a yes-or-no question; `null` where nobody can answer. */
  ask(question: string): Promise<boolean | null>;
  print(line: string): void;
}

export interface Step {
  /** The last line of a program's output, shown in place on a terminal. */
  say(line: string): void;
  /** A word on the outcome, shown in the step's line. */
  note(text: string): void;
}
