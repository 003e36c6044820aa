import { expect } from 'chai';
import { type DistilBertRecord, fixture, readFixture } from '../helpers/fixtures.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { openOnCpu, thrown } from '../helpers/tiny-model.js';

const TOLERANCE = 1e-5;
const record = readFixture<DistilBertRecord>('distilbert-tiny.json');

describe("TorchScript traced from Hugging Face's DistilBertForSequenceClassification", () => {
  for (const answer of ['tuple', 'dict']) {
    it(`answers with a ${answer}, and gives its logits for other rows than it was traced with`, () => {
      const model = openOnCpu(fixture(`traced-${answer}.pt`));
      const { ids, offsets } = ragged(record.ids);
      expectClose(model.logits(ids, offsets, 1), record.logits.flat(), TOLERANCE, 'logits of a batch');
      record.ids.forEach((row, index) => {
        const one = ragged([row]);
        expectClose(model.logits(one.ids, one.offsets, 1), record.logits[index]!, TOLERANCE, 'logits of one row');
      });
      model.dispose();
    });
  }

  it('knows its limits, so that a wrong id is an error and no read outside the table', () => {
    const model = openOnCpu(fixture('traced-tuple.pt'));
    expect(model.limits).to.deep.equal({ vocabSize: 115, maxLength: 64 });
    const { ids, offsets } = ragged([[2, 115, 3]]);
    expect(thrown(() => model.logits(ids, offsets, 1), 'invalid_argument')).to.include('115');
  });

  it('has no embeddings, and says so', () => {
    const model = openOnCpu(fixture('traced-tuple.pt'));
    const { ids, offsets } = ragged(record.ids);
    expect(thrown(() => model.embed(ids, offsets, 1), 'invalid_argument')).to.include('embed()');
  });
});
