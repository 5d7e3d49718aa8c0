/**
 * A bucket as an application sees it: checks what the caller hands in, turns it into a request for the peer, and the reply into plain data.
 */

import type {
  Bucket,
  BucketOptions,
  GetOptions,
  GetResult,
  KeyInput,
  KeysOptions,
  KeysPage,
  LocalRecord,
  Mode,
  PutOptions,
  PutResult,
  Sibling,
  Watch,
  WatchOptions,
} from './api.ts';
import { encodeContext, decodeContext } from './context-text.ts';
import { fromBase64Url, fromByteString, textToBytes, toBase64Url, toByteString } from './core/bytes.ts';
import { MeshError } from './core/errors.ts';
import { addressOf } from './core/hash.ts';
import { type ByteString, dotText, type PeerId } from './core/ids.ts';
import { limits } from './core/limits.ts';
import type { Receipt } from './core/messages.ts';
import { checkQuorum, majority, overlaps } from './core/quorum.ts';
import { liveSiblings, type RecordSet, type RecordVersion, resolve, type StoredResolver } from './core/record.ts';
import type { Requester } from './runtime.ts';
import { WatchStream } from './watch.ts';

const bucketName = /^[A-Za-z0-9._-]{1,64}$/;
const modes: readonly string[] = ['strict', 'sloppy', 'any'];
const resolvers: readonly unknown[] = ['siblings', 'lww', 'priority'];
const defaultTimeoutMs = 5000;

/** Throws `BUCKET_INVALID` for a name that is not 1 to 64 of A-Z a-z 0-9 . _ - */
export function checkBucketName(name: string): void {
  if (bucketName.test(name)) return;
  throw new MeshError('BUCKET_INVALID', 'a bucket name has 1 to 64 characters, of letters, digits, dot, underscore and hyphen');
}

/** The key's bytes. Throws `KEY_INVALID` for an empty or too long one. */
export function toKey(input: KeyInput): ByteString {
  const key = typeof input === 'string' ? textToBytes(input) : toByteString(input);
  if (key.length >= 1 && key.length <= limits.keyMaxBytes) return key;
  throw new MeshError('KEY_INVALID', `a key has 1 to ${limits.keyMaxBytes} bytes, this one has ${key.length}`);
}

function toPrefix(input: KeyInput): ByteString {
  const prefix = typeof input === 'string' ? textToBytes(input) : toByteString(input);
  if (prefix.length <= limits.keyMaxBytes) return prefix;
  throw new MeshError('KEY_INVALID', `a prefix has at most ${limits.keyMaxBytes} bytes`);
}

/** Fills in the defaults. Throws `OPTION_INVALID` or `QUORUM_INVALID`. */
export function bucketOptions(options: BucketOptions): Required<BucketOptions> {
  const known = ['n', 'r', 'w', 'mode', 'resolver', 'timeoutMs', 'ttlMs'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new MeshError('OPTION_INVALID', `unknown bucket option '${unknown}': there are ${known.join(', ')}`);
  const n = options.n ?? 3;
  const { r = majority(n), w = majority(n), mode = 'sloppy', resolver = 'siblings', timeoutMs = defaultTimeoutMs, ttlMs = 0 } = options;
  checkQuorum(n, r, w);
  checkMode(mode);
  checkTimeout(timeoutMs);
  checkTtl(ttlMs);
  if (typeof resolver !== 'function' && !resolvers.includes(resolver)) {
    throw new MeshError('OPTION_INVALID', `unknown resolver '${String(resolver)}': there are siblings, lww, priority, or a function`);
  }
  return { n, r, w, mode, resolver, timeoutMs, ttlMs };
}

function checkMode(mode: Mode): void {
  if (!modes.includes(mode)) throw new MeshError('OPTION_INVALID', `unknown mode '${String(mode)}': there are strict, sloppy, any`);
}

function checkTimeout(timeoutMs: number): void {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs <= limits.timeoutMaxMs) return;
  throw new MeshError('OPTION_INVALID', `timeoutMs must be from 1 to ${limits.timeoutMaxMs}, not ${timeoutMs}`);
}

function checkTtl(ttlMs: number): void {
  if (Number.isInteger(ttlMs) && ttlMs >= 0 && ttlMs <= limits.ttlMaxMs) return;
  throw new MeshError('OPTION_INVALID', `ttlMs must be a whole number from 1 to ${limits.ttlMaxMs}, or 0 for never, not ${ttlMs}`);
}

export class BucketHandle implements Bucket {
  readonly name: string;
  readonly options: Required<BucketOptions>;
  readonly #runtime: Requester;

  constructor(runtime: Requester, name: string, options: BucketOptions) {
    checkBucketName(name);
    this.name = name;
    this.options = bucketOptions(options);
    this.#runtime = runtime;
  }

  /** A custom function works on the answer of a get; replicas keep all siblings for it. */
  get #storedResolver(): StoredResolver {
    const { resolver } = this.options;
    return typeof resolver === 'function' ? 'siblings' : resolver;
  }

  async get(key: KeyInput, options: GetOptions = {}): Promise<GetResult> {
    const address = addressOf(this.name, toKey(key));
    const { n, w } = this.options;
    const { r = this.options.r, mode = this.options.mode, timeoutMs = this.options.timeoutMs, signal } = options;
    checkQuorum(n, r, w);
    checkMode(mode);
    checkTimeout(timeoutMs);
    const resolver = this.#storedResolver;
    const command = { bucket: this.name, key: address.key, n, r, mode, resolver, budgetMs: timeoutMs };
    const reply = await this.#runtime.request({ type: 'get', command }, signal);
    if (reply.type !== 'get') throw unexpected(reply.type);
    const { record, receipts, sloppy } = reply.outcome;
    const siblings = this.#resolved(record);
    const context = encodeContext(address, record.context);
    const outcome = siblings.length === 0 ? 'absent' : 'ok';
    return { outcome, context, siblings, replicas: receipts, hosts: hostsOf(receipts), sloppy, overlap: overlaps(n, r, w) };
  }

  #resolved(record: RecordSet): Sibling[] {
    const { resolver } = this.options;
    const { wall } = this.#runtime.now();
    if (typeof resolver !== 'function') return liveSiblings(resolve(record, resolver), wall).map(toSibling);
    const siblings = liveSiblings(record, wall).map(toSibling);
    return siblings.length < 2 ? siblings : [resolver(siblings)];
  }

  put(key: KeyInput, value: Uint8Array | string, options: PutOptions = {}): Promise<PutResult> {
    const bytes = typeof value === 'string' ? fromByteString(textToBytes(value)) : value;
    return this.#write(key, bytes, options);
  }

  delete(key: KeyInput, options: PutOptions = {}): Promise<PutResult> {
    return this.#write(key, undefined, options);
  }

  async #write(key: KeyInput, bytes: Uint8Array | undefined, options: PutOptions): Promise<PutResult> {
    const address = addressOf(this.name, toKey(key));
    const { n, r } = this.options;
    const { w = this.options.w, mode = this.options.mode, timeoutMs = this.options.timeoutMs, signal } = options;
    const { priority = 0, contentType, ttlMs = this.options.ttlMs } = options;
    checkQuorum(n, r, w);
    checkMode(mode);
    checkTimeout(timeoutMs);
    checkTtl(ttlMs);
    checkValue(bytes, contentType, priority);
    const context = decodeContext(address, options.context);
    const tombstone = bytes === undefined;
    const command = {
      bucket: this.name,
      key: address.key,
      context,
      tombstone,
      bytes: bytes ?? new Uint8Array(0),
      contentType,
      priority,
      expires: ttlMs === 0 || tombstone ? undefined : Math.ceil(this.#runtime.now().wall) + ttlMs,
      n,
      w,
      mode,
      resolver: this.#storedResolver,
      budgetMs: timeoutMs,
    };
    const reply = await this.#runtime.request({ type: 'put', command }, signal);
    if (reply.type !== 'put') throw unexpected(reply.type);
    const { outcome, receipts, dot, sloppy } = reply.outcome;
    return {
      outcome,
      context: encodeContext(address, reply.outcome.context),
      dot: dot === undefined ? null : dotText(dot),
      replicas: receipts,
      hosts: hostsOf(receipts),
      sloppy,
      overlap: overlaps(n, r, w),
    };
  }

  async getMany(keys: readonly KeyInput[], options: GetOptions = {}): Promise<(GetResult | MeshError)[]> {
    const settled = await Promise.allSettled(keys.map((key) => this.get(key, options)));
    return settled.map((result) => {
      if (result.status === 'fulfilled') return result.value;
      if (result.reason instanceof MeshError) return result.reason;
      throw result.reason;
    });
  }

  async keys(options: KeysOptions = {}): Promise<KeysPage> {
    const { limit = limits.listMax, timeoutMs = this.options.timeoutMs, signal } = options;
    checkTimeout(timeoutMs);
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.listMax) {
      throw new MeshError('OPTION_INVALID', `limit must be a whole number from 1 to ${limits.listMax}, not ${limit}`);
    }
    const prefix = toPrefix(options.prefix ?? '');
    const command = { bucket: this.name, prefix, after: decodeCursor(options.cursor), limit, n: this.options.n, budgetMs: timeoutMs };
    const reply = await this.#runtime.request({ type: 'keys', command }, signal);
    if (reply.type !== 'keys') throw unexpected(reply.type);
    const { keys, next, complete } = reply.outcome;
    return { keys: keys.map(fromByteString), cursor: next === undefined ? undefined : toBase64Url(fromByteString(next)), complete };
  }

  async *allKeys(options: Omit<KeysOptions, 'cursor'> = {}): AsyncGenerator<Uint8Array> {
    let cursor: string | undefined;
    do {
      const page = await this.keys(cursor === undefined ? options : { ...options, cursor });
      yield* page.keys;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async local(key: KeyInput, peer?: string): Promise<LocalRecord | undefined> {
    const address = addressOf(this.name, toKey(key));
    const reply = await this.#runtime.request({ type: 'local', bucket: this.name, key: address.key, peer: peer as PeerId | undefined });
    if (reply.type !== 'local') throw unexpected(reply.type);
    const { record, keptFor } = reply.copy;
    if (record.context.length === 0) return undefined;
    const tombstones = record.siblings.filter((version) => version.value.tombstone).map((version) => dotText(version.dot));
    return {
      context: encodeContext(address, record.context),
      siblings: liveSiblings(record, this.#runtime.now().wall).map(toSibling),
      tombstones,
      keptFor,
    };
  }

  watch(what: KeyInput | { readonly prefix: KeyInput }, { initial = false, signal }: WatchOptions = {}): Watch {
    const exact = typeof what === 'string' || what instanceof Uint8Array;
    const key = exact ? toKey(what) : toPrefix(what.prefix);
    return new WatchStream(this.#runtime, { bucket: this.name, key, exact, n: this.options.n, initial }, signal);
  }
}

const unexpected = (type: string): MeshError => new MeshError('INTERNAL', `bug: a reply of type ${type}`);

function checkValue(bytes: Uint8Array | undefined, contentType: string | undefined, priority: number): void {
  if (bytes !== undefined && bytes.length > limits.valueMaxBytes) {
    throw new MeshError('VALUE_TOO_LARGE', `a value has at most ${limits.valueMaxBytes} bytes, this one has ${bytes.length}`);
  }
  if (contentType !== undefined && (contentType.length > limits.contentTypeMaxBytes || !/^[\x20-\x7e]*$/.test(contentType))) {
    throw new MeshError('OPTION_INVALID', `a content type has at most ${limits.contentTypeMaxBytes} printable ASCII characters`);
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > 255) {
    throw new MeshError('OPTION_INVALID', `priority must be a whole number from 0 to 255, not ${priority}`);
  }
}

function decodeCursor(cursor: string | undefined): ByteString | undefined {
  if (cursor === undefined) return undefined;
  const bytes = fromBase64Url(cursor);
  if (bytes === undefined || bytes.length === 0 || bytes.length > limits.keyMaxBytes) {
    throw new MeshError('CURSOR_INVALID', 'the cursor is not one that a listing returned');
  }
  return toByteString(bytes);
}

const toSibling = ({ dot, value }: RecordVersion): Sibling => ({
  dot: dotText(dot),
  value: value.bytes,
  contentType: value.contentType,
  time: value.time.ms,
});

function hostsOf(receipts: readonly Receipt[]): number {
  const hosts = new Set<string>();
  for (const { state, host } of receipts) if (state === 'stored' || state === 'answered') hosts.add(host);
  return hosts.size;
}
