import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** What may wait for a slow reader of the log before lines are dropped. */
const MAX_BUFFERED_BYTES = 1 << 20;

/**
 * One JSON object a line with `level` as a word and `time` in ISO 8601; to standard output unless told otherwise.
 *
 * Synchronous on purpose: with an asynchronous destination a full disk ends the process or hangs its exit. `onWriteError`
 * is told when lines are lost; the process lives on.
 */
export function createLogger(level: string, onWriteError: (error: Error) => void, to?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    to ?? standardOutput(onWriteError),
  );
}

function standardOutput(onWriteError: (error: Error) => void): DestinationStream {
  const destination = pino.destination({ dest: 1, sync: true, maxLength: MAX_BUFFERED_BYTES });
  destination.on('error', onWriteError);
  return destination;
}
