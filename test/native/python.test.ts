import { join } from 'node:path';
import { expect } from 'chai';
import { type DistilBertRecord, fixture, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { runCommand } from '../helpers/programs.js';
import { expectClose } from '../helpers/tensors.js';
import { tinyDistilBert, writeTinyDistilBert } from '../helpers/tiny-model.js';

/** A Python that has torch 2.11: the one use of Python in the tests, and never needed to run distilserve. */
const python = process.env.DISTILSERVE_TEST_PYTHON;
const title = "writeModel(), opened by Python's torch.jit.load";

const suite = useSuiteDir();

describe(python ? title : `${title} (skipped: DISTILSERVE_TEST_PYTHON names no Python with torch)`, function () {
  this.timeout(120_000);
  let answer: { parameters: Record<string, number[]>; training: boolean; logits: number[][]; embeddings: number[][] };

  before(async function () {
    if (!python) return this.skip();
    const file = join(suite.dir, 'tiny.pt');
    await writeTinyDistilBert(file);
    const args = [fixture('run_torchscript.py'), file, fixture('distilbert-tiny.json')];
    const { code, stdout, stderr } = await runCommand(python, args);
    expect(code, stderr).to.equal(0);
    answer = JSON.parse(stdout);
  });

  it("has Hugging Face's parameter names and shapes", async () => {
    const { weights } = await tinyDistilBert();
    expect(answer.parameters).to.deep.equal(Object.fromEntries(weights.map(({ name, shape }) => [name, shape])));
  });

  it('is in eval mode, and gives the same logits and embeddings', () => {
    const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
    expect(answer.training).to.equal(false);
    expectClose(answer.logits.flat(), record.logits.flat(), 1e-5, 'logits');
    expectClose(answer.embeddings.flat(), record.embeddings.flat(), 1e-5, 'embeddings');
  });
});
