/** Follows the changes that a gateway tells as server-sent events; after a lost connection it goes on where it was, at the same gateway or at another one. */

import { setTimeout as wait } from 'node:timers/promises';
import { CliError, exitCodes } from '../cli/errors.ts';
import { answerError } from './api.ts';
import { type GatewayClient, NoAnswerError } from './gateway-client.ts';

export interface ChangeJson {
  readonly type: 'change';
  /** Null when the key's bytes are no text. */
  readonly key: string | null;
  readonly encoded: string;
  readonly dot: string;
  readonly deleted: boolean;
  /** Base64. */
  readonly value: string | null;
  readonly contentType: string | null;
  readonly time: number;
  readonly context: string;
  readonly current: readonly string[];
}

export type WatchLine = ChangeJson | { readonly type: 'ready' } | { readonly type: 'resync' };

const againMs = 500;
/** For how long a connection that was lost is tried to get back. */
const patienceMs = 60_000;

/** Ends only with an error. `lost` is told of each connection that breaks off. */
export async function followChanges(
  client: GatewayClient,
  path: string,
  onLine: (line: WatchLine) => void,
  lost: (reason: string) => void,
): Promise<never> {
  let lastId: string | undefined;
  let lostAt = 0;
  const events = new EventReader((line, id) => {
    lastId = id;
    lostAt = 0;
    onLine(line);
  });
  for (;;) {
    let reason = 'the gateway ended it';
    try {
      const headers = lastId === undefined ? {} : { 'Last-Event-ID': lastId };
      const answer = await client.send({ method: 'GET', path, headers, isEndless: true, onLine: (text) => events.read(text) });
      if (answer.status !== 200 && answer.status !== 503) throw answerError(answer);
      if (lastId === undefined && answer.status === 503) throw answerError(answer);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      reason = error.message;
      if (lastId === undefined && client.gateways.length === 1) throw client.unreachable(error);
      client.leave(error.gateway);
    }
    if (events.failure !== undefined) throw events.failure;
    const now = performance.now();
    if (lostAt === 0) lost(reason);
    lostAt ||= now;
    if (now - lostAt > patienceMs)
      throw new CliError('GATEWAY_LOST', `the connection to the gateway was lost (${reason}), and does not come back`);
    await wait(againMs);
  }
}

/** Server-sent events, line by line. */
class EventReader {
  failure: CliError | undefined;
  readonly #tell: (line: WatchLine, id: string) => void;
  #event = '';
  #id = '';
  #data = '';

  constructor(tell: (line: WatchLine, id: string) => void) {
    this.#tell = tell;
  }

  read(text: string): void {
    if (text.startsWith('event: ')) this.#event = text.slice(7);
    else if (text.startsWith('id: ')) this.#id = text.slice(4);
    else if (text.startsWith('data: ')) this.#data = text.slice(6);
    else if (text === '' && this.#event !== '') this.#end();
  }

  #end(): void {
    const event = this.#event;
    this.#event = '';
    const data = JSON.parse(this.#data) as Record<string, unknown>;
    if (event === 'error') {
      const { code, message } = data['error'] as { code: string; message: string };
      this.failure = new CliError(code, message, exitCodes.failed);
    } else {
      this.#tell({ type: event, ...data } as WatchLine, this.#id);
    }
  }
}
