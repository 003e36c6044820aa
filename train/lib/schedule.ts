/**
 * Learning rate of a step: rises linearly from 0 over the warm-up steps, then falls linearly to 0 at the last, as
 * Hugging Face's `get_linear_schedule_with_warmup`.
 *
 * @param step 0 to totalSteps - 1
 */
export function linearSchedule(step: number, totalSteps: number, warmupSteps: number, peak: number): number {
  if (step < warmupSteps) return (peak * step) / Math.max(1, warmupSteps);
  return peak * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
}
