/**
 * A folder into a bucket. A file that is there already is replaced: its context is asked for first, but only when a listing shows the key, so a first
 * import costs one request a file. A put that was not surely answered may have taken effect; its retry carries the context that a get finds then, and at
 * the end such keys are looked at once more, so that an import never leaves a conflict with itself.
 */

import { readFile } from 'node:fs/promises';
import { answerError, jsonOf, keyPath, type Envelope, type Receipt } from '../client/api.ts';
import { NoAnswerError, type GatewayAnswer, type GatewayClient } from '../client/gateway-client.ts';
import { keyPages } from '../client/listing.ts';
import { encodeSegment } from '../key-path.ts';
import { keyMaxBytes, valueMaxBytes, valueMaxText } from '../value-limits.ts';
import { codeOf } from '../cli/errors.ts';
import { inParallel, patiently, type Tries } from './patience.ts';
import { contentTypeOf, type FoundFile } from './walk.ts';

export interface FileFailure {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

export interface ImportOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly concurrency: number;
  readonly onProgress: (files: number, bytes: number) => void;
}

export interface ImportReport {
  readonly files: number;
  readonly bytes: number;
  readonly replaced: number;
  readonly retried: number;
  readonly failed: readonly FileFailure[];
}

export async function importFiles(client: GatewayClient, files: readonly FoundFile[], options: ImportOptions): Promise<ImportReport> {
  const run = new Import(client, options);
  return run.all(files);
}

class Import {
  readonly #client: GatewayClient;
  readonly #options: ImportOptions;
  readonly #tries: Tries = { retried: 0 };
  readonly #failed: FileFailure[] = [];
  /** Files with a put that may have taken effect more than once. */
  readonly #uncertain = new Set<FoundFile>();
  /** Encoded keys that a listing showed; undefined when the listing cannot be trusted to be whole. */
  #existing: ReadonlySet<string> | undefined;
  #files = 0;
  #bytes = 0;
  #replaced = 0;

  constructor(client: GatewayClient, options: ImportOptions) {
    this.#client = client;
    this.#options = options;
  }

  async all(files: readonly FoundFile[]): Promise<ImportReport> {
    await this.#client.request({ method: 'GET', path: '/v1/status' });
    this.#existing = await this.#listExisting();
    const { concurrency, onProgress } = this.#options;
    await inParallel(files, concurrency, async (file) => {
      await this.#guarded(file, () => this.#put(file));
      onProgress(this.#files + this.#failed.length, this.#bytes);
    });
    await inParallel([...this.#uncertain], concurrency, (file) => this.#guarded(file, () => this.#settle(file)));
    const failed = this.#failed.toSorted((a, b) => (a.file < b.file ? -1 : 1));
    return { files: this.#files, bytes: this.#bytes, replaced: this.#replaced, retried: this.#tries.retried, failed };
  }

  async #guarded(file: FoundFile, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Nobody is left to talk to: the other files would only wait for the same.
      if (codeOf(error) === 'GATEWAY_UNREACHABLE') throw error;
      this.#failed.push({
        file: file.name,
        code: codeOf(error) ?? 'INTERNAL',
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #refuse(file: FoundFile, code: string, message: string): void {
    this.#failed.push({ file: file.name, code, message });
  }

  #key(file: FoundFile): string {
    return encodeSegment(this.#options.prefix + file.name);
  }

  async #listExisting(): Promise<ReadonlySet<string> | undefined> {
    const existing = new Set<string>();
    const fetchAnswer = (path: string): Promise<GatewayAnswer> =>
      patiently(this.#client, this.#tries, { request: () => ({ method: 'GET', path }) });
    for await (const page of keyPages(fetchAnswer, this.#options.bucket, { prefix: this.#options.prefix })) {
      if (!page.complete) return undefined;
      for (const key of page.keys) existing.add(key.encoded);
    }
    return existing;
  }

  /** What a get sees now; undefined when nothing is there. One try: it is part of a put's try. */
  async #contextNow(path: string): Promise<string | undefined> {
    const answer = await this.#client.send({ method: 'HEAD', path });
    if (answer.status === 503) throw new NoAnswerError(answer.gateway, false, 'the mesh cannot tell now');
    if (![200, 300, 404].includes(answer.status)) throw answerError(answer);
    const context = answer.headers['x-ringmesh-context'];
    return typeof context === 'string' && context !== '' ? context : undefined;
  }

  async #put(file: FoundFile): Promise<void> {
    if (file.bytes > valueMaxBytes)
      return this.#refuse(file, 'VALUE_TOO_LARGE', `has ${file.bytes} bytes; a value may have at most ${valueMaxBytes} (${valueMaxText})`);
    if (Buffer.byteLength(this.#options.prefix + file.name) > keyMaxBytes)
      return this.#refuse(file, 'KEY_INVALID', `its name is longer than ${keyMaxBytes} bytes`);
    const body = await readFile(file.path);
    const key = this.#key(file);
    const path = keyPath(this.#options.bucket, key);
    const replaces = this.#existing === undefined || this.#existing.has(key);
    if (await this.#write(file, path, body, replaces ? 'ask' : undefined)) {
      this.#files++;
      this.#bytes += body.length;
      if (replaces) this.#replaced++;
    }
  }

  /** True when a write quorum holds it. With 'ask' it replaces what a get sees. */
  async #write(file: FoundFile, path: string, body: Uint8Array, seen: string | undefined): Promise<boolean> {
    let askContext = seen === 'ask';
    let context = askContext ? undefined : seen;
    const answer = await patiently(this.#client, this.#tries, {
      request: async () => {
        if (askContext) context = await this.#contextNow(path);
        askContext = false;
        const headers = { 'Content-Type': contentTypeOf(file.name), ...(context === undefined ? {} : { 'X-Ringmesh-Context': context }) };
        return { method: 'PUT', path, headers, body };
      },
      isFinal: (answer) => answer.status !== 503 && answer.status !== 202,
      onUncertain: (answer) => {
        this.#uncertain.add(file);
        const receipt = answer?.status === 202 ? jsonOf<Receipt>(answer) : undefined;
        if (receipt?.outcome === 'partial' && receipt.context !== '') context = receipt.context;
        else askContext = true;
      },
    });
    if (answer.status === 200) return true;
    if (answer.status !== 202) throw answerError(answer);
    const { outcome } = jsonOf<Receipt>(answer);
    this.#refuse(
      file,
      outcome.toUpperCase(),
      outcome === 'partial' ? 'fewer replicas than the write quorum hold it' : 'no replica acknowledged it in time',
    );
    return false;
  }

  /** Siblings that all hold this file's bytes are our own retries: one more put makes them one. */
  async #settle(file: FoundFile): Promise<void> {
    const path = keyPath(this.#options.bucket, this.#key(file));
    const seen = await this.#widestView(file);
    if (seen === undefined || seen.siblings.length < 2) return;
    const body = await readFile(file.path);
    if (seen.siblings.every((sibling) => Buffer.from(sibling.value, 'base64').equals(body)))
      await this.#write(file, path, body, seen.context);
  }

  /** What all replicas know, or if not all of them answer, what a quorum does. */
  async #widestView(file: FoundFile): Promise<Envelope | undefined> {
    const view = async (r: number | undefined): Promise<Envelope | undefined> => {
      const path = keyPath(this.#options.bucket, this.#key(file), { r });
      const answer = await patiently(this.#client, this.#tries, {
        request: () => ({ method: 'GET', path, headers: { Accept: 'application/json' } }),
        isFinal: (answer) => answer.status !== 503 || r !== undefined,
      });
      return answer.status === 200 ? jsonOf<Envelope>(answer) : undefined;
    };
    const quorum = await view(undefined);
    return (quorum === undefined ? undefined : await view(replicasOf(quorum))) ?? quorum;
  }
}

/** How many replicas the bucket has: each primary has its line in the receipt, whether it answered or not. */
const replicasOf = (answer: Envelope): number => Math.max(1, answer.replicas.filter((replica) => replica.role === 'primary').length);
