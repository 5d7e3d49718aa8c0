/** All keys of a bucket through the paged listing. */

import type { GatewayAnswer, GatewayClient } from './gateway-client.ts';
import { answerError, jsonOf, queryText, type KeysAnswer } from './api.ts';
import { encodeSegment } from '../key-path.ts';

export interface ListedKey {
  /** Undefined when the key is not valid UTF-8. */
  readonly text: string | undefined;
  readonly encoded: string;
}

export interface KeyPage {
  readonly keys: readonly ListedKey[];
  readonly complete: boolean;
}

/** Pages until the listing ends; `fetchAnswer` makes one request (with or without retries). */
export async function* keyPages(
  fetchAnswer: (path: string) => Promise<GatewayAnswer>,
  bucket: string,
  options: { readonly prefix?: string | undefined; readonly limit?: number | undefined },
): AsyncGenerator<KeyPage> {
  let cursor: string | undefined;
  do {
    const query = queryText({ prefix: options.prefix === '' ? undefined : options.prefix, cursor, limit: options.limit });
    const answer = await fetchAnswer(`/v1/buckets/${encodeSegment(bucket)}/keys${query}`);
    if (answer.status !== 200) throw answerError(answer);
    const page = jsonOf<KeysAnswer>(answer);
    yield { keys: page.encoded.map((encoded, index) => ({ encoded, text: page.keys[index] ?? undefined })), complete: page.complete };
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
}

export const plainFetch =
  (client: GatewayClient) =>
  (path: string): Promise<GatewayAnswer> =>
    client.request({ method: 'GET', path });
