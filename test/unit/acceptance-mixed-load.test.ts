import { join } from 'node:path';
import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import type { ClassifiedBatch } from '../../src/domain/types.js';
import { runChild } from '../../src/setup/child.js';
import { verdictsOf } from '../acceptance/lib/verdict.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';
import { startTestServer } from '../helpers/server.js';
import { HashEngine } from '../helpers/stand-ins.js';

/** Its answers go through `change` whenever a batch has several texts. */
class ChangedEngine extends HashEngine {
  constructor(private readonly change: (batch: ClassifiedBatch) => ClassifiedBatch) {
    super();
  }

  override async classify(texts: readonly string[]): Promise<ClassifiedBatch> {
    const batch = await super.classify(texts);
    return texts.length > 1 ? this.change(batch) : batch;
  }
}

describe('acceptance mixed load', function () {
  this.timeout(30_000);

  async function play(engine: HashEngine): Promise<{ output: string; outcomes: string; figures: string[] }> {
    const server = await startTestServer({ engine, maxLength: 512 });
    try {
      const script = join(PROJECT_ROOT, 'dist/test/acceptance/mixed-load.js');
      const { code, output } = await runChild(process.execPath, [script, server.url]);
      const verdicts = verdictsOf('mixed-load', output, code);
      return {
        output,
        outcomes: verdicts.map(({ outcome }) => outcome).join(' '),
        figures: verdicts.map(({ figure }) => figure),
      };
    } finally {
      await server.close();
    }
  }

  it('passes a server that answers each text as alone', async () => {
    const { output, outcomes } = await play(new HashEngine());
    expect(outcomes, output).to.equal('PASS PASS');
    expect(output).to.match(/^status 200: 1000$/m);
  });

  it('fails one that mixes up the answers of a batch', async () => {
    const { outcomes } = await play(new ChangedEngine((batch) => ({ ...batch, results: batch.results.toReversed() })));
    expect(outcomes).to.equal('PASS FAIL');
  });

  it('fails one that gives another label with the right confidence', async () => {
    const { outcomes } = await play(
      new ChangedEngine((batch) => ({
        ...batch,
        results: batch.results.map((one, at) => (at === 1 ? { ...one, label: 'neutral' } : one)),
      })),
    );
    expect(outcomes).to.equal('PASS FAIL');
  });

  it('fails one whose confidence moves by 2e-5 within a batch', async () => {
    const { outcomes, figures } = await play(
      new ChangedEngine((batch) => ({
        ...batch,
        results: batch.results.map((one) => ({ ...one, confidence: one.confidence - 2e-5 })),
      })),
    );
    expect(outcomes).to.equal('PASS FAIL');
    expect(figures[1]).to.match(/ 0 other labels, confidence within 2\.\de-5$/);
  });

  it('counts the requests that a server fails, by status', async () => {
    let batches = 0;
    const { output, outcomes, figures } = await play(
      new ChangedEngine((batch) => {
        if (++batches % 10 === 0) throw new DistilserveError('worker_died', 'The worker thread of this batch ended');
        return batch;
      }),
    );
    expect(outcomes).to.equal('FAIL PASS');
    expect(output).to.include(`status 500: ${figures[0]}`);
  });
});
