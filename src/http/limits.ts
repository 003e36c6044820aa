import type { Config } from '../config.js';

/** What one request may ask of the server. */
export type RequestLimits = Pick<Config, 'maxBodyBytes' | 'requestTimeoutMs'>;
