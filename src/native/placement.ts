import { DistilserveError } from '../domain/errors.js';
import type { Device, Dtype, Placement } from '../domain/types.js';
import { addon } from './addon.js';

const DTYPES: readonly Dtype[] = ['float32', 'bfloat16', 'float16', 'int8'];

/**
 * Turns the settings DEVICE and DTYPE, which may be `auto`, into a placement and says why.
 *
 * `auto` is the first GPU, else the CPU; and float32, since a dtype that loses something is chosen by name.
 *
 * @throws DistilserveError device_unavailable or dtype_unavailable, naming what there is
 */
export function choosePlacement(device: string, dtype: string): { placement: Placement; reason: string } {
  const devices = addon().listDevices();
  const chosen =
    device === 'auto'
      ? (devices.find((candidate) => candidate.device !== 'cpu') ?? devices[0])
      : devices.find((candidate) => candidate.device === device);
  if (chosen === undefined) {
    const names = devices.map((candidate) => candidate.device).join(', ');
    throw new DistilserveError(
      'device_unavailable',
      `Expected DEVICE to be auto or one of ${names} but received ${device}`,
    );
  }
  const wanted = dtype === 'auto' ? 'float32' : dtype;
  const offered = chosen.dtypes.find((candidate) => candidate === wanted);
  if (offered === undefined) {
    const known = DTYPES.find((dtype) => dtype === wanted);
    const why = known === undefined ? ', which is no dtype' : chosen.device === 'cpu' ? whyNotOnCpu(known) : '';
    throw new DistilserveError(
      'dtype_unavailable',
      `Expected DTYPE to be auto or one that ${chosen.device} computes in (${chosen.dtypes.join(', ')}) but received ${dtype}${why}`,
    );
  }
  const why = device === 'auto' ? (chosen.device === 'cpu' ? 'no GPU is usable' : 'a GPU is usable') : 'as asked';
  return {
    placement: { device: chosen.device as Device, dtype: offered },
    reason: `device ${chosen.device} (${chosen.name}): ${why}; dtype ${offered}: ${dtype === 'auto' ? 'the lossless default' : 'as asked'}`,
  };
}

/** What a CPU lacks for a dtype that some CPUs compute in; empty for float16, which none does. */
function whyNotOnCpu(dtype: Dtype): string {
  if (dtype === 'float16') return '';
  const reasons = addon()
    .listKernels(dtype)
    .map(({ name, whyNot }) => `${name}: ${whyNot}`);
  return ` (${reasons.length > 0 ? reasons.join('; ') : 'there are no kernels for CPUs of this make'})`;
}
