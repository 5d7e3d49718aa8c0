/**
 * HTTP to one of several gateways. Node's own client is used instead of fetch because it sends a path as it stands: fetch would resolve `%2E%2E` and
 * so could not name every key (VR8). The gateway that answered last is asked first; another is tried by itself only when a request surely never arrived.
 */

import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { codeOf, CliError } from '../cli/errors.ts';

export const defaultGateway = 'http://127.0.0.1:7400';

export interface GatewayRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Raw, beginning with a slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Called with each line of the answer's body as it comes in, besides the whole at the end. */
  readonly onLine?: (line: string) => void;
  /** A good answer has no end: its body is not kept. */
  readonly isEndless?: boolean;
}

export interface GatewayAnswer {
  readonly gateway: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** No answer. `sent`: the request may have reached the gateway and may have taken effect. */
export class NoAnswerError extends Error {
  readonly gateway: string;
  readonly sent: boolean;

  constructor(gateway: string, sent: boolean, reason: string) {
    super(reason);
    this.name = 'NoAnswerError';
    this.gateway = gateway;
    this.sent = sent;
  }
}

const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const answerTimeoutMs = 130_000;
const headersMaxBytes = 64 * 1024;

export class GatewayClient {
  readonly #gateways: readonly string[];
  readonly #httpAgent = new HttpAgent({ keepAlive: true, maxSockets: 256 });
  readonly #httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets: 256 });
  #current = 0;

  constructor(gateways: readonly string[]) {
    this.#gateways = gateways;
  }

  get gateways(): readonly string[] {
    return this.#gateways;
  }

  get current(): string {
    return this.#gateways[this.#current] ?? defaultGateway;
  }

  /** Goes on to the next gateway, unless another request has already left the failed one. */
  leave(failed: string): void {
    if (this.current === failed) this.#current = (this.#current + 1) % this.#gateways.length;
  }

  /** One try at the current gateway. Rejects with NoAnswerError. */
  send(request: GatewayRequest): Promise<GatewayAnswer> {
    return this.#sendTo(this.current, request);
  }

  /** Tries the gateways in turn while none of them can be reached. */
  async request(request: GatewayRequest): Promise<GatewayAnswer> {
    let last: NoAnswerError | undefined;
    for (const _ of this.#gateways) {
      try {
        return await this.send(request);
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        last = error;
        this.leave(error.gateway);
        if (error.sent) break;
      }
    }
    throw this.unreachable(last);
  }

  unreachable(last: NoAnswerError | undefined): CliError {
    if (last?.sent === true)
      return new CliError(
        'GATEWAY_LOST',
        `${last.gateway} broke off before it answered (${last.message}); the request may have taken effect`,
      );
    const where = this.#gateways.join(', ');
    const reason = last === undefined ? '' : ` (${last.message})`;
    return new CliError(
      'GATEWAY_UNREACHABLE',
      `no gateway answers at ${where}${reason}; start one with 'ringmesh serve' or 'ringmesh demo', or name another with --gateway URL`,
    );
  }

  close(): void {
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  #sendTo(gateway: string, request: GatewayRequest): Promise<GatewayAnswer> {
    const url = new URL(gateway);
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)({
        agent: secure ? this.#httpsAgent : this.#httpAgent,
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port === '' ? (secure ? 443 : 80) : url.port,
        method: request.method,
        path: url.pathname.replace(/\/$/, '') + request.path,
        headers: { ...request.headers, ...(request.body === undefined ? {} : { 'Content-Length': request.body.length }) },
        maxHeaderSize: headersMaxBytes,
        timeout: answerTimeoutMs,
      });
      const fail = (error: Error): void => reject(new NoAnswerError(gateway, !neverSent.has(codeOf(error) ?? ''), reasonOf(error)));
      outgoing.on('error', fail);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${answerTimeoutMs / 1000} s`)));
      outgoing.on('response', (incoming) => {
        collect(incoming, request).then(
          (body) => resolve({ gateway, status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
          fail,
        );
      });
      outgoing.end(request.body);
    });
  }
}

async function collect(incoming: IncomingMessage, { onLine, isEndless = false }: GatewayRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const decoder = new StringDecoder('utf8');
  let line = '';
  for await (const chunk of incoming) {
    if (!isEndless || incoming.statusCode !== 200) chunks.push(chunk as Buffer);
    if (onLine === undefined) continue;
    const lines = (line + decoder.write(chunk as Buffer)).split('\n');
    line = lines.pop() ?? '';
    lines.forEach(onLine);
  }
  return Buffer.concat(chunks);
}

function reasonOf(error: Error): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  if (code === 'ECONNRESET') return 'connection lost';
  return error.message === '' ? (code ?? 'no answer') : error.message;
}
