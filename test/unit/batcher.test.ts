import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import type { ClassifiedBatch, TextResult } from '../../src/domain/types.js';
import { Batcher, type BatcherOptions, estimateTokens } from '../../src/service/batcher.js';
import { HeldEngine, hashResult } from '../helpers/stand-ins.js';

/** Four bytes: three estimated tokens with [CLS] and [SEP]. */
const TEXT = 'text';
const TEXT_TOKENS = 3;

function setUp(options: Partial<BatcherOptions> = {}, workers = 1): { engine: HeldEngine; batcher: Batcher } {
  const engine = new HeldEngine(workers);
  return { engine, batcher: new Batcher(engine, { maxQueue: 100, maxBatchTokens: 1000, maxLength: 128, ...options }) };
}

function numbered(count: number, prefix = 't'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(3, '0')}`);
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function answerAll(engine: HeldEngine, promise: Promise<TextResult[]>): Promise<TextResult[]> {
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  for (let i = 0; !done; i++) {
    // The newest first, so that batches end in another order than they began.
    for (const batch of [...engine.batches].reverse()) batch.answer();
    await new Promise(setImmediate);
    if (i > 1000) throw new Error('No answer came.');
  }
  return promise;
}

describe('estimateTokens()', () => {
  it('counts bytes, not characters, and the special tokens', () => {
    expect(estimateTokens('text', 128)).to.equal(3);
    expect(estimateTokens('文字文字', 128)).to.equal(2 + 3);
  });

  it('counts no more than the model reads', () => {
    expect(estimateTokens('a'.repeat(1_000_000), 128)).to.equal(128);
  });
});

describe('Batcher#classify()', () => {
  it('hands a text to an idle worker at once', () => {
    const { engine, batcher } = setUp();
    void batcher.classify([TEXT]);
    expect(engine.batches.map((batch) => batch.texts)).to.deep.equal([[TEXT]]);
    expect(batcher).to.include({ waitingTexts: 0, runningBatches: 1 });
  });

  it('gathers while all workers are busy, and the next free one takes everything that waits', async () => {
    const { engine, batcher } = setUp();
    const replies = ['a', 'b', 'c'].map((text) => batcher.classify([text]));
    expect(engine.batches).to.have.lengthOf(1);
    expect(batcher.waitingTexts).to.equal(2);
    engine.batches[0]!.answer();
    await engine.arrived(2);
    expect(engine.batches[1]!.texts).to.deep.equal(['b', 'c']);
    engine.batches[1]!.answer();
    expect((await Promise.all(replies)).flat()).to.deep.equal(['a', 'b', 'c'].map(hashResult));
  });

  it('shares a batch evenly among idle workers', () => {
    const { engine, batcher } = setUp({}, 2);
    void batcher.classify(numbered(8));
    expect(engine.batches.map((batch) => batch.texts.length)).to.deep.equal([4, 4]);
  });

  it('keeps batches within the token budget', async () => {
    const { engine, batcher } = setUp({ maxBatchTokens: 4 * TEXT_TOKENS });
    await answerAll(engine, batcher.classify(numbered(10)));
    expect(engine.batches.map((batch) => batch.texts.length)).to.deep.equal([4, 4, 2]);
  });

  it('lets a text through that is over the budget on its own', () => {
    const { engine, batcher } = setUp({ maxBatchTokens: 10 });
    void batcher.classify(['a'.repeat(1000)]);
    expect(engine.batches).to.have.lengthOf(1);
  });

  it('keeps the order of the texts over several batches of several requests', async () => {
    const { engine, batcher } = setUp({ maxBatchTokens: 7 * TEXT_TOKENS }, 3);
    const requests = ['a', 'b', 'c'].map((prefix) => numbered(20, prefix));
    const replies = Promise.all(requests.map((texts) => batcher.classify(texts)));
    const answers = await answerAll(
      engine,
      replies.then((all) => all.flat()),
    );
    expect(answers).to.deep.equal(requests.flat().map(hashResult));
    expect(engine.batches.some((batch) => new Set(batch.texts.map((text) => text[0])).size > 1)).to.equal(true);
  });

  it('refuses whole what does not fit whole, and says when to come again', async () => {
    const { engine, batcher } = setUp({ maxQueue: 4 });
    void batcher.classify([TEXT]);
    void batcher.classify(numbered(3));
    const error = await errorOf(batcher.classify(numbered(2)));
    expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'queue_full');
    expect(error).to.have.property('retryAfterSeconds').that.is.at.least(1);
    expect(batcher.waitingTexts).to.equal(3);
    void batcher.classify([TEXT]);
    expect(batcher.waitingTexts).to.equal(4);
    expect(engine.batches).to.have.lengthOf(1);
  });

  it('refuses more than 64 MiB of waiting texts, few as they are, and has room again when they have gone', async () => {
    const { engine, batcher } = setUp();
    void batcher.classify([TEXT]);
    const mebibyte = 'a'.repeat(2 ** 20);
    const controller = new AbortController();
    const aborted = errorOf(batcher.classify([mebibyte], controller.signal));
    for (let i = 1; i < 64; i++) void batcher.classify([mebibyte]);
    expect(await errorOf(batcher.classify([TEXT]))).to.have.property('code', 'queue_full');
    controller.abort();
    await aborted;
    void batcher.classify([TEXT]);
    expect(batcher.waitingTexts).to.equal(64);
    engine.batches[0]!.answer();
    await engine.arrived(2);
    expect(await errorOf(Promise.race([batcher.classify([mebibyte]), Promise.resolve([])]))).to.equal(undefined);
  });

  it('takes one request into an empty queue whatever its size', async () => {
    const { batcher } = setUp();
    void batcher.classify([TEXT]);
    void batcher.classify(['a'.repeat(65 * 2 ** 20)]);
    expect(batcher.waitingTexts).to.equal(1);
    expect(await errorOf(batcher.classify([TEXT]))).to.have.property('code', 'queue_full');
  });

  it('rejects with the reason of an aborted signal and takes the waiting texts out of the queue', async () => {
    const { engine, batcher } = setUp();
    void batcher.classify([TEXT]);
    const controller = new AbortController();
    const reply = batcher.classify(numbered(5), controller.signal);
    const reason = new DistilserveError('deadline_exceeded', 'too late');
    controller.abort(reason);
    expect(await errorOf(reply)).to.equal(reason);
    expect(batcher.waitingTexts).to.equal(0);
    engine.batches[0]!.answer();
    await new Promise(setImmediate);
    expect(engine.batches).to.have.lengthOf(1);
  });

  it('does not begin with a signal that is aborted already', async () => {
    const { engine, batcher } = setUp();
    const reason = new Error('gone');
    expect(await errorOf(batcher.classify([TEXT], AbortSignal.abort(reason)))).to.equal(reason);
    expect(engine.batches).to.have.lengthOf(0);
  });

  it('fails the requests of a failed batch with its error, and no others', async () => {
    const { engine, batcher } = setUp({ maxBatchTokens: 4 * TEXT_TOKENS });
    const first = batcher.classify(numbered(6, 'a'));
    const second = batcher.classify(numbered(2, 'b'));
    const died = new DistilserveError('worker_died', 'died');
    engine.batches[0]!.fail(died);
    expect(await errorOf(first)).to.equal(died);
    await engine.arrived(2);
    expect(engine.batches[1]!.texts, 'the rest of the failed request left the queue').to.deep.equal(numbered(2, 'b'));
    engine.batches[1]!.answer();
    expect(await second).to.deep.equal(numbered(2, 'b').map(hashResult));
    expect(batcher).to.include({ waitingTexts: 0, runningBatches: 0 });
  });

  it('fails a batch with a result too few rather than shifting answers', async () => {
    const { engine, batcher } = setUp();
    const reply = batcher.classify(['a', 'b']);
    const short: ClassifiedBatch = {
      results: [hashResult('a')],
      tokens: 3,
      threads: 1,
      forwardMs: 0,
    };
    engine.batches[0]!.answerWith(short);
    expect(await errorOf(reply)).to.have.property('code', 'internal');
  });

  it('tells of each batch that was answered', async () => {
    const sizes: number[] = [];
    const { engine, batcher } = setUp({ onBatch: (batch) => sizes.push(batch.results.length) });
    await answerAll(engine, batcher.classify(numbered(3)));
    expect(sizes).to.deep.equal([3]);
  });
});

describe('Batcher#drain()', () => {
  it('refuses new requests and resolves when the last batch is answered', async () => {
    const { engine, batcher } = setUp();
    const replies = [batcher.classify(['a']), batcher.classify(['b'])];
    let drained = false;
    const drain = batcher.drain().then(() => {
      drained = true;
    });
    expect(await errorOf(batcher.classify(['c']))).to.have.property('code', 'shutting_down');
    engine.batches[0]!.answer();
    await engine.arrived(2);
    expect(drained).to.equal(false);
    engine.batches[1]!.answer();
    await drain;
    expect((await Promise.all(replies)).flat()).to.deep.equal([hashResult('a'), hashResult('b')]);
  });

  it('resolves at once when nothing is there', async () => {
    await setUp().batcher.drain();
  });
});
