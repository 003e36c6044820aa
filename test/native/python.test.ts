import { join } from 'node:path';
import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import { type DistilBertRecord, fixture, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { runCommand } from '../helpers/programs.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { tinyDistilBert, trainerOptions, writeTinyDistilBert } from '../helpers/tiny-model.js';

/** A Python that has torch 2.11: the one use of Python in the tests, and never needed to run distilserve. */
const python = process.env.DISTILSERVE_TEST_PYTHON;
const title = "a saved model, opened by Python's torch.jit.load";
const record = readFixture<DistilBertRecord>('distilbert-tiny.json');

const suite = useSuiteDir();

interface Answer {
  readonly parameters: Record<string, number[]>;
  readonly training: boolean;
  readonly logits: number[][];
  readonly embeddings: number[][];
}

describe(python ? title : `${title} (skipped: DISTILSERVE_TEST_PYTHON names no Python with torch)`, function () {
  this.timeout(120_000);

  before(function () {
    if (!python) this.skip();
  });

  async function openInPython(file: string): Promise<Answer> {
    const args = [fixture('run_torchscript.py'), file, fixture('distilbert-tiny.json')];
    const { code, stdout, stderr } = await runCommand(python as string, args);
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout) as Answer;
  }

  it("has Hugging Face's parameter names and shapes, and gives its logits and embeddings", async () => {
    const file = join(suite.dir, 'tiny.pt');
    await writeTinyDistilBert(file);
    const { parameters, training, logits, embeddings } = await openInPython(file);
    const { weights } = await tinyDistilBert();
    expect(parameters).to.deep.equal(Object.fromEntries(weights.map(({ name, shape }) => [name, shape])));
    expect(training).to.equal(false);
    expectClose(logits.flat(), record.logits.flat(), 1e-5, 'logits');
    expectClose(embeddings.flat(), record.embeddings.flat(), 1e-5, 'embeddings');
  });

  it('gives the logits of the Trainer that saved it', async () => {
    const trainer = new (addon().Trainer)(trainerOptions(await tinyDistilBert()));
    const { ids, offsets } = ragged(record.ids);
    for (let step = 0; step < 5; step++) trainer.step(ids, offsets, Int32Array.from(record.labels), 1e-3);
    const file = join(suite.dir, 'trained.pt');
    trainer.save(file);
    const { training, logits } = await openInPython(file);
    expect(training).to.equal(false);
    expectClose(logits.flat(), trainer.logits(ids, offsets), 1e-5, 'logits');
  });
});
