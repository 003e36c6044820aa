import { expect } from 'chai';
import { linearSchedule } from '../../train/lib/schedule.js';
import { readFixture } from '../helpers/fixtures.js';

interface ScheduleRecord {
  readonly total: number;
  readonly warmup: number;
  readonly peak: number;
  readonly learningRates: readonly number[];
}

describe('linearSchedule()', () => {
  for (const { total, warmup, peak, learningRates } of readFixture<ScheduleRecord[]>('schedule.json')) {
    it(`is get_linear_schedule_with_warmup's over ${total} steps, ${warmup} of them warm-up`, () => {
      const actual = Array.from({ length: total }, (_, step) => linearSchedule(step, total, warmup, peak));
      actual.forEach((rate, step) => {
        expect(rate, `step ${step}`).to.be.closeTo(learningRates[step]!, 1e-12 * peak);
      });
    });
  }
});
