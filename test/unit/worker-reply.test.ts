import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import { fromReply, reply } from '../../src/worker/reply.js';

/** What the pool gets of what a worker throws: a structured clone lies between them. */
async function thrownByPool(thrown: unknown): Promise<DistilserveError> {
  const answer = structuredClone(
    await reply(() => {
      throw thrown;
    }),
  );
  try {
    fromReply(answer);
  } catch (error) {
    expect(error).to.be.instanceOf(DistilserveError);
    return error as DistilserveError;
  }
  throw new Error('Expected an error of the reply but it has a value');
}

describe('reply()', () => {
  it('brings a value over', async () => {
    expect(fromReply(structuredClone(await reply(async () => [1, 2])))).to.deep.equal([1, 2]);
  });

  it('brings over all of an error of ours: code, message, cause and when to try again', async () => {
    const cause = new Error('EIO at sector 7');
    const error = await thrownByPool(
      new DistilserveError('store_unavailable', 'Expected a store', { cause, retryAfterSeconds: 7 }),
    );
    expect(error).to.include({
      code: 'store_unavailable',
      message: 'Expected a store',
      cause: 'EIO at sector 7',
      retryAfterSeconds: 7,
    });
  });

  it('makes internal of anything else, with the place it came from as cause', async () => {
    const error = await thrownByPool(Object.assign(new TypeError('x is not a function'), { code: 'EISDIR' }));
    expect(error).to.include({ code: 'internal', message: 'x is not a function' });
    expect(error.cause).to.include('worker-reply.test');
    expect(await thrownByPool(undefined)).to.include({ code: 'internal', message: 'undefined' });
  });
});
