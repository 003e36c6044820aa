import { expect } from 'chai';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined for an empty one. */
  readonly json: unknown;
}

export interface ErrorInfo {
  readonly code: string;
  readonly message: string;
  readonly request_id: string;
}

export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text ? JSON.parse(text) : undefined,
  };
}

/** Posts a value as JSON; a string goes as it is. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Checks the one error shape and its id, and gives what is in it. */
export function errorOf(answer: Answer, status: number, code: string): ErrorInfo {
  expect(answer.status, answer.text).to.equal(status);
  expect(Object.keys(answer.json as object)).to.deep.equal(['error']);
  const { error } = answer.json as { error: ErrorInfo };
  expect(Object.keys(error)).to.deep.equal(['code', 'message', 'request_id']);
  expect(error.code).to.equal(code);
  expect(error.request_id).to.equal(answer.headers.get('x-request-id'));
  return error;
}
