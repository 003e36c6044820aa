import { expect } from 'chai';
import { classificationMetrics, confusionTable } from '../../train/lib/metrics.js';

describe('classificationMetrics()', () => {
  it('gives what was worked out by hand for three classes', () => {
    const metrics = classificationMetrics([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 2], 3);
    expect(metrics.rows).to.equal(6);
    // Rows are the truth: of two 0s, one was called 1; of three 1s, one was called 0.
    expect(metrics.confusion).to.deep.equal([
      [1, 1, 0],
      [1, 2, 0],
      [0, 0, 1],
    ]);
    expect(metrics.accuracy).to.be.closeTo(4 / 6, 1e-12);
    // F1 of the classes: 1/2, 2/3 and 1.
    expect(metrics.macroF1).to.be.closeTo((1 / 2 + 2 / 3 + 1) / 3, 1e-12);
  });

  it('gives precision and recall equal weight: a class called too often is no better than one called too seldom', () => {
    // Class 1: 1 right of 4 calls, 1 of 1 found: F1 = 2/5. Class 0: 3 of 3 calls right, 3 of 6 found: F1 = 2/3.
    const { macroF1 } = classificationMetrics([0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 1], 2);
    expect(macroF1).to.be.closeTo((2 / 3 + 2 / 5) / 2, 1e-12);
  });

  it('counts a class that was never right, or never there, as 0', () => {
    expect(classificationMetrics([0, 1], [1, 0], 2).macroF1).to.equal(0);
    expect(classificationMetrics([0, 0], [0, 0], 2).macroF1).to.equal(0.5);
  });
});

describe('confusionTable()', () => {
  it('has the true labels down and the predicted ones across', () => {
    const [header, ...lines] = confusionTable(
      ['no', 'yes'],
      [
        [3, 1],
        [0, 12],
      ],
    )
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/));
    expect(header).to.deep.equal(['true \\ said', 'no', 'yes']);
    expect(lines).to.deep.equal([
      ['no', '3', '1'],
      ['yes', '0', '12'],
    ]);
  });
});
