/** A whole project in a temporary directory, made by the real scripts out of the tiny base models: seconds, not minutes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { fixture, PROJECT_ROOT } from './fixtures.js';
import { type Outcome, runCommand } from './programs.js';

const THINGS = ['phone', 'battery', 'screen', 'case', 'price', 'product'];
const WORDS = {
  positive: ['good', 'great', 'nice', 'fast', 'cheap', 'very good'],
  negative: ['bad', 'awful', 'poor', 'slow', 'broken', 'very bad'],
};

export interface LabelledText {
  readonly text: string;
  readonly label: string;
}

/** 216 short reviews in the words that the tiny tokenizer knows. */
export const REVIEWS: readonly LabelledText[] = Object.entries(WORDS).flatMap(([label, words]) =>
  words.flatMap((word) =>
    THINGS.flatMap((thing) => [
      { text: `the ${thing} is ${word}`, label },
      { text: `I love it and hate it, but this ${thing} was ${word}!`, label },
      { text: `${word} ${thing}`, label },
    ]),
  ),
);

export const PRODUCTS = THINGS.flatMap((thing, kind) =>
  WORDS.positive.map((word, index) => ({
    id: `SKU-${kind}${index}`,
    name: `${word} ${thing}`,
    description: `A ${word} ${thing}, so well it works. ${'x'.repeat(index)}`,
    category: thing,
  })),
);

/** Runs one of the scripts of train/, as npm does. */
export function runScript(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const file = join(PROJECT_ROOT, 'dist/train', `${name}.js`);
  return runCommand(process.execPath, [file, ...args], { env: { ...process.env, ...env } });
}

export async function runScriptWell(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await runScript(name, args, env);
  expect(code, `${name} ${args.join(' ')}\n${stdout}\n${stderr}`).to.equal(0);
  return stdout;
}

export interface TinyProject {
  readonly reviewsFile: string;
  readonly productsFile: string;
  readonly modelDir: string;
  readonly encoderDir: string;
  readonly storePath: string;
}

export function trainArguments(project: TinyProject, changes: Record<string, string> = {}): string[] {
  const flags: Record<string, string> = {
    base: fixture('distilbert-tiny'),
    data: project.reviewsFile,
    out: project.modelDir,
    epochs: '10',
    'batch-size': '16',
    lr: '2e-3',
    warmup: '0.1',
    seed: '42',
    'max-length': '32',
    threads: '1',
    ...changes,
  };
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Writes the data files; trains, makes an encoder and seeds an embedded store by the real scripts. */
export async function makeTinyProject(dir: string): Promise<TinyProject> {
  const project: TinyProject = {
    reviewsFile: join(dir, 'reviews.jsonl'),
    productsFile: join(dir, 'products.jsonl'),
    modelDir: join(dir, 'models/sentiment'),
    encoderDir: join(dir, 'models/encoder'),
    storePath: join(dir, 'products.store'),
  };
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(project.reviewsFile, lines(REVIEWS));
  writeFileSync(project.productsFile, lines(PRODUCTS));
  await runScriptWell('train', trainArguments(project));
  await runScriptWell('encoder', ['--base', fixture('bert-tiny'), '--out', project.encoderDir]);
  await runScriptWell('seed', ['--products', project.productsFile], serverEnvironment(project));
  return project;
}

export function serverEnvironment({ modelDir, encoderDir, storePath }: TinyProject): Record<string, string> {
  return { MODEL_DIR: modelDir, ENCODER_DIR: encoderDir, STORE_PATH: storePath, STORE: 'embedded', DEVICE: 'cpu' };
}
