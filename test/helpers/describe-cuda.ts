import type { Device } from '../../src/domain/types.js';
import { addon } from '../../src/native/addon.js';

/** A `describe` for one GPU; where there is none its tests are skipped, and the title says why. */
export function describeCuda(title: string, body: (device: Device) => void): void {
  const gpu = addon()
    .listDevices()
    .find(({ device }) => device !== 'cpu');
  if (gpu !== undefined) {
    describe(`${title} on ${gpu.device}`, () => body(gpu.device));
    return;
  }
  describe(`${title} (skipped: no GPU, or an addon built without --cuda)`, () => {
    before(function () {
      this.skip();
    });
    body('cuda:0');
  });
}
