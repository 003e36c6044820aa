/** Lines that begin or end something: `Downloading …`, `…: done`, a script, a start that listens. */
const STEP = / …$|: (done|skipped)\b|^npm run |^Seeding |^saved |^seeded |"listening on /;

/** Shows lines with the seconds since it was made, and keeps those that tell of a step. */
export class Timeline {
  readonly #start = performance.now();
  readonly #steps: string[] = [];

  constructor(private readonly write: (text: string) => void) {}

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** A line of a program that runs. */
  line(text: string): void {
    const shown = text.length > 200 ? `${text.slice(0, 200)} …` : text;
    this.write(`${this.#stamp()}  ${shown}\n`);
    if (STEP.test(text)) this.#steps.push(`${this.#stamp()}    ${shown}`);
  }

  /** Something that the measurement itself did or saw. */
  step(text: string): void {
    this.write(`${this.#stamp()}  > ${text}\n`);
    this.#steps.push(`${this.#stamp()}  ${text}`);
  }

  summary(): string {
    return this.#steps.join('\n');
  }

  #stamp(): string {
    return `${this.seconds.toFixed(1).padStart(7)} s`;
  }
}
