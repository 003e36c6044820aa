import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { sha256File } from '../../src/model/files.js';
import { openModelDir } from '../../src/model/model-dir.js';
import { fixture, PROJECT_ROOT, useSuiteDir } from '../helpers/fixtures.js';
import { type Outcome, runCommand } from '../helpers/programs.js';
import { saveTinyClassifier } from '../helpers/tiny-model.js';
import {
  makeTinyProject,
  PRODUCTS,
  REVIEWS,
  runScript,
  runScriptWell,
  serverEnvironment,
  type TinyProject,
  trainArguments,
} from '../helpers/tiny-project.js';

/** How a script ends; one that does not is killed, which shows as no code. */
function endOf(name: string, args: readonly string[]): Promise<Outcome> {
  const file = join(PROJECT_ROOT, 'dist/train', `${name}.js`);
  return runCommand(process.execPath, [file, ...args], { timeout: 20_000 });
}

const suite = useSuiteDir();
let project: TinyProject;

describe('the scripts of train/', function () {
  this.timeout(60_000);

  before(async () => {
    project = await makeTinyProject(suite.dir);
  });

  it('train.js saves a model that has learnt, with all that belongs to it', async () => {
    const { config, dir } = await openModelDir(project.modelDir);
    expect(readdirSync(dir).sort()).to.deep.equal([
      'README.md',
      'config.json',
      'manifest.json',
      'metrics.json',
      'model.pt',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(config).to.deep.include({ kind: 'classifier', labels: ['negative', 'positive'], maxLength: 32 });
    expect(config.baseModel.id).to.equal('distilbert-tiny');
    const metrics = JSON.parse(readFileSync(join(dir, 'metrics.json'), 'utf8'));
    expect(metrics.heldOut.rows).to.equal(22);
    expect(metrics.heldOut.accuracy).to.be.at.least(0.9);
    expect(metrics.lossByEpoch).to.have.length(10);
    expect(metrics.lossByEpoch.at(-1)).to.be.below(metrics.lossByEpoch[0] / 3);
    expect(metrics.flags).to.include({ seed: 42, epochs: 10 });
    expect(metrics.data.sha256).to.equal(await sha256File(project.reviewsFile));
  });

  it('train.js with the same settings makes the same weights, and others with another seed', async () => {
    const weights = async (changes: Record<string, string>): Promise<string> => {
      const out = join(suite.dir, 'again', 'model');
      await runScriptWell('train', trainArguments(project, { out, ...changes }));
      return sha256File(join(out, 'model.pt'));
    };
    expect(await weights({})).to.equal(await sha256File(join(project.modelDir, 'model.pt')));
    expect(await weights({ seed: '43', epochs: '1' })).not.to.equal(await weights({ epochs: '1' }));
  });

  it('train.js ends in the middle of an epoch when told so', async () => {
    const out = join(suite.dir, 'half');
    const { stdout, stderr } = await endOf('train', trainArguments(project, { out, epochs: '1.5' }));
    // 194 rows to train on in batches of 16 are 13 steps.
    expect(`${stdout}${stderr}`).to.match(/^epoch 2\/1\.5 .* 20\/20 /m);
    expect(JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')).lossByEpoch).to.have.length(2);
  });

  it('train.js takes labels from the data, other columns and a label map', async () => {
    const data = join(suite.dir, 'stars.csv');
    const rows = REVIEWS.map(({ text, label }, row) => `"${text} ${'y'.repeat(row)}",${label === 'positive' ? 5 : 1}`);
    writeFileSync(data, `review,stars\n${rows.join('\n')}\n"so so",3\n`);
    const out = join(suite.dir, 'stars');
    const columns = { 'text-column': 'review', label_column: 'stars', 'label-map': '1=angry,5=happy' };
    const printed = await runScriptWell('train', trainArguments(project, { data, out, epochs: '1', ...columns }));
    expect(printed).to.include('1 left out by --label-map');
    expect((await openModelDir(out)).config.labels).to.deep.equal(['angry', 'happy']);
  });

  it('train.js names the data as it was read, though it changes while training', async () => {
    const data = join(suite.dir, 'changing.jsonl');
    copyFileSync(project.reviewsFile, data);
    const read = await sha256File(data);
    const out = join(suite.dir, 'changing');
    const args = [join(PROJECT_ROOT, 'dist/train/train.js'), ...trainArguments(project, { data, out })];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('read 216 rows')) appendFileSync(data, '\n');
    }
    expect(await sha256File(data)).not.to.equal(read);
    expect(JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')).data.sha256).to.equal(read);
    expect(readFileSync(join(out, 'README.md'), 'utf8')).to.include(read);
  });

  it('train.js leaves skipped steps out of the mean loss, and saves no model whose logits are not finite', async () => {
    const out = join(suite.dir, 'skipped');
    // After the first step the weights are so large that no loss is finite.
    const changes = { out, epochs: '1', lr: '1e30', warmup: '0', 'batch-size': '32' };
    const { code, stdout, stderr } = await endOf('train', trainArguments(project, changes));
    const [, loss, skipped] = /^mean loss by epoch (\S+) {2}steps skipped (\d+)$/m.exec(stdout)!;
    expect(Number(loss)).to.be.within(0.3, 3);
    expect(skipped).to.equal('6');
    expect(code, stderr).to.equal(1);
    expect(stderr)
      .to.match(/^error: Expected finite logits .*--lr/m)
      .and.not.to.match(/^ +at /m);
    expect(existsSync(out)).to.equal(false);
  });

  for (const [what, changes] of [
    ['more than ten steps', { epochs: '1', 'batch-size': '4' }],
    ['all steps of an epoch', { epochs: '2', 'batch-size': '32' }],
  ] as const) {
    it(`train.js ends with one message when ${what} have no finite loss`, async () => {
      const out = join(suite.dir, 'diverged');
      const args = trainArguments(project, { out, lr: '1e30', warmup: '0', ...changes });
      const { code, stderr } = await endOf('train', args);
      expect(code, stderr).to.equal(1);
      expect(stderr)
        .to.match(/^error: Expected a finite loss .*--lr/m)
        .and.not.to.match(/^ +at /m);
      expect(existsSync(out)).to.equal(false);
    });
  }

  for (const name of ['train', 'encoder']) {
    it(`${name}.js refuses an --out that it cannot write before it reads anything`, async () => {
      const file = join(suite.dir, 'occupied');
      writeFileSync(file, 'mine');
      for (const out of [file, join(file, 'model')]) {
        // A base that is not there comes second.
        const { code, stdout, stderr } = await endOf(name, ['--out', out, '--base', './nowhere']);
        expect(code, stdout).to.equal(1);
        expect(stderr)
          .to.match(/^error: Expected .*occupied.*--out/m)
          .and.not.to.match(/^ +at /m);
      }
      expect(readFileSync(file, 'utf8')).to.equal('mine');
    });
  }

  it('evaluate.js says that an encoder has no labels', async () => {
    const { code, stderr } = await endOf('evaluate', ['--model', project.encoderDir, '--data', project.reviewsFile]);
    expect(code, stderr).to.equal(1);
    expect(stderr).to.match(/^error: Expected a classifier but .* is an encoder/m);
  });

  it('evaluate.js ends when the model fails halfway', async () => {
    const model = join(suite.dir, 'mismatched');
    await saveTinyClassifier(model, { config: { labels: ['negative', 'positive'] } });
    const { code, stderr } = await endOf('evaluate', ['--model', model, '--data', project.reviewsFile]);
    expect(code, stderr).to.equal(1);
    expect(stderr).to.match(/^error: Expected 2 logits/m);
  });

  it('evaluate.js prints what the saved model gets right on a file', async () => {
    const printed = await runScriptWell('evaluate', ['--model', project.modelDir, '--data', project.reviewsFile]);
    expect(printed).to.include('216 rows read');
    const [, accuracy, macroF1] = /accuracy (\S+) {2}macro-F1 (\S+) {2}rows 216/.exec(printed)!;
    expect(Number(accuracy)).to.be.at.least(0.95);
    expect(Number(macroF1)).to.be.closeTo(Number(accuracy), 0.02);
    const [negative, positive] = ['negative', 'positive'].map((label) =>
      new RegExp(`^ *${label} +(\\d+) +(\\d+)$`, 'm').exec(printed)!.slice(1).map(Number),
    );
    const right = negative![0]! + positive![1]!;
    expect(right / 216).to.be.closeTo(Number(accuracy), 1e-4);
    expect([...negative!, ...positive!].reduce((sum, value) => sum + value, 0)).to.equal(216);
  });

  it('evaluate.js finds a model wrong on labels that are turned round', async () => {
    const args = ['--model', project.modelDir, '--data', project.reviewsFile];
    const printed = await runScriptWell('evaluate', [...args, '--label-map', 'negative=positive,positive=negative']);
    expect(Number(/accuracy (\S+)/.exec(printed)![1])).to.be.at.most(0.05);
  });

  it('encoder.js and seed.js fill the store, and neighbors.js measures it', async () => {
    const { config } = await openModelDir(project.encoderDir);
    expect(config).to.deep.include({ kind: 'encoder', labels: [], maxLength: 64 });
    expect(existsSync(project.storePath)).to.equal(true);
    const printed = await runScriptWell('neighbors', ['--products', project.productsFile], serverEnvironment(project));
    expect(printed).to.include(`${PRODUCTS.length} products in 6 categories`);
  });

  const wrong: [string, string, string[], RegExp][] = [
    ['a flag it does not know', 'train', ['--epoch', '1'], /--epoch; did you mean --epochs/],
    ['a base that is no folder', 'train', ['--base', './nowhere'], /--base/],
    ['an unknown device', 'train', ['--device', 'tpu', '--base', fixture('distilbert-tiny')], /cpu/],
    ['data that is not there', 'evaluate', ['--data', 'nowhere.csv'], /nowhere\.csv/],
    ['no data', 'evaluate', [], /--data/],
    ['a learning rate of 0', 'train', ['--lr', '0'], /above 0 for --lr/],
    ['a base of another family', 'encoder', ['--base', fixture('traced-tuple.pt')], /--base/],
  ];
  for (const [what, name, args, message] of wrong) {
    it(`${name}.js ends with code 1 and one message for ${what}`, async () => {
      const given = name === 'evaluate' ? ['--model', project.modelDir, ...args] : args;
      const { code, stderr } = await runScript(name, given);
      expect(code).to.equal(1);
      expect(stderr)
        .to.match(message)
        .and.not.to.match(/^ +at /m);
    });
  }
});
