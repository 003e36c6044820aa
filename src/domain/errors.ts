/** One error class and one table of codes for the whole project; tests and clients look at `code`, never at the text. */

export const HTTP_STATUS = {
  // The request is at fault.
  invalid_json: 400,
  invalid_request: 400,
  product_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  expectation_failed: 417,
  queue_full: 429,
  headers_too_large: 431,
  // The service is at fault.
  internal: 500,
  worker_died: 500,
  store_unavailable: 503,
  shutting_down: 503,
  deadline_exceeded: 504,
  // Raised before there is a server: configuration, files, the native boundary.
  invalid_config: 500,
  invalid_argument: 500,
  device_unavailable: 500,
  dtype_unavailable: 500,
  out_of_memory: 500,
  disposed: 500,
  native_missing: 500,
  native_failure: 500,
  model_missing: 500,
  model_invalid: 500,
  data_invalid: 500,
  download_failed: 500,
  storage_failed: 500,
  encoder_mismatch: 500,
} as const;

export type ErrorCode = keyof typeof HTTP_STATUS;

/** `message` says what was expected, what came and, where the reader can mend it, how. */
export class DistilserveError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which trying again makes sense; becomes the `Retry-After` header. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DistilserveError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return HTTP_STATUS[this.code];
  }
}

/** The text of anything thrown, for messages that quote a cause. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(HTTP_STATUS, code);
}
