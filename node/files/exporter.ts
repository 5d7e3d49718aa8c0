/**
 * A bucket into a folder. A key that would leave the folder, that no file can be called by, or whose file exists already is reported and skipped. Of a
 * conflict every sibling is written, as `name.sibling-1`, `name.sibling-2`, ….
 */

import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { answerError, jsonOf, keyPath, type Envelope } from '../client/api.ts';
import type { GatewayAnswer, GatewayClient, GatewayRequest } from '../client/gateway-client.ts';
import { keyPages, type ListedKey } from '../client/listing.ts';
import { makeFolder } from '../cli/data-folder.ts';
import { CliError, codeOf } from '../cli/errors.ts';
import type { FileFailure } from './importer.ts';
import { inParallel, patiently, type Tries } from './patience.ts';
import { pathOfKey } from './walk.ts';

export interface ExportOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly concurrency: number;
  /** Overwrite files that exist. */
  readonly force: boolean;
  readonly onTotal: (keys: number) => void;
  readonly onProgress: (keys: number, bytes: number) => void;
}

export interface ExportReport {
  readonly files: number;
  readonly bytes: number;
  readonly conflicts: readonly string[];
  readonly complete: boolean;
  readonly retried: number;
  readonly failed: readonly FileFailure[];
}

export async function exportFiles(client: GatewayClient, folder: string, options: ExportOptions): Promise<ExportReport> {
  await makeFolder(resolve(folder)).catch((error: unknown) => {
    throw new CliError(codeOf(error) ?? 'FILE_UNWRITABLE', `the folder ${folder} cannot be written`);
  });
  const run = new Export(client, await realpath(folder), options);
  return run.all();
}

class Export {
  readonly #client: GatewayClient;
  readonly #folder: string;
  readonly #options: ExportOptions;
  readonly #tries: Tries = { retried: 0 };
  readonly #failed: FileFailure[] = [];
  readonly #conflicts: string[] = [];
  /** Folders that were made and found to lie inside of ours. */
  readonly #folders = new Map<string, Promise<void>>();
  #files = 0;
  #bytes = 0;

  constructor(client: GatewayClient, folder: string, options: ExportOptions) {
    this.#client = client;
    this.#folder = folder;
    this.#options = options;
  }

  async all(): Promise<ExportReport> {
    const keys: ListedKey[] = [];
    let complete = true;
    for await (const page of keyPages((path) => this.#send({ method: 'GET', path }), this.#options.bucket, {
      prefix: this.#options.prefix,
    })) {
      keys.push(...page.keys);
      complete &&= page.complete;
    }
    this.#options.onTotal(keys.length);
    let done = 0;
    await inParallel(keys, this.#options.concurrency, async (key) => {
      try {
        await this.#one(key);
      } catch (error) {
        this.#fail(key, codeOf(error) ?? 'INTERNAL', error instanceof Error ? error.message : String(error));
      }
      this.#options.onProgress(++done, this.#bytes);
    });
    const failed = this.#failed.toSorted((a, b) => (a.file < b.file ? -1 : 1));
    return {
      files: this.#files,
      bytes: this.#bytes,
      conflicts: this.#conflicts.toSorted(),
      complete,
      retried: this.#tries.retried,
      failed,
    };
  }

  #fail(key: ListedKey, code: string, message: string): void {
    this.#failed.push({ file: key.text ?? key.encoded, code, message });
  }

  #send(request: GatewayRequest): Promise<GatewayAnswer> {
    return patiently(this.#client, this.#tries, { request: () => request });
  }

  async #one(key: ListedKey): Promise<void> {
    const target = pathOfKey(key.text?.slice(this.#options.prefix.length));
    if ('problem' in target) return this.#fail(key, 'KEY_REFUSED', target.problem);
    const path = keyPath(this.#options.bucket, key.encoded);
    const answer = await this.#send({ method: 'GET', path });
    if (answer.status === 404) return;
    if (answer.status === 200) return this.#write(target.path, answer.body);
    if (answer.status !== 300) throw answerError(answer);
    const envelope = await this.#send({ method: 'GET', path, headers: { Accept: 'application/json' } });
    if (envelope.status === 404) return;
    if (envelope.status !== 200) throw answerError(envelope);
    const { siblings } = jsonOf<Envelope>(envelope);
    if (siblings.length > 1) this.#conflicts.push(key.text ?? key.encoded);
    for (const [index, sibling] of siblings.entries()) {
      const name = siblings.length === 1 ? target.path : `${target.path}.sibling-${index + 1}`;
      await this.#write(name, Buffer.from(sibling.value, 'base64'));
    }
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const target = join(this.#folder, path);
    await this.#makeFolder(dirname(target));
    try {
      await writeFile(target, bytes, { flag: this.#options.force ? 'w' : 'wx' });
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EEXIST') throw new CliError('FILE_EXISTS', 'the file exists already; overwrite with --force');
      if (code === 'EISDIR') throw new CliError('FILE_EXISTS', 'a folder has this name, since other keys continue it');
      throw new CliError(code ?? 'FILE_UNWRITABLE', 'the file cannot be written');
    }
    this.#files++;
    this.#bytes += bytes.length;
  }

  #makeFolder(folder: string): Promise<void> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const made = this.#checkFolder(folder);
    this.#folders.set(folder, made);
    return made;
  }

  /** A symbolic link in the way could lead outside, so the real place is compared. */
  async #checkFolder(folder: string): Promise<void> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      const code = codeOf(error);
      const taken = code === 'EEXIST' || code === 'ENOTDIR';
      throw new CliError(
        taken ? 'FILE_EXISTS' : (code ?? 'FILE_UNWRITABLE'),
        taken ? 'a file has the name of its folder' : 'its folder cannot be made',
      );
    }
    const real = await realpath(folder);
    if (real !== this.#folder && !real.startsWith(this.#folder + sep))
      throw new CliError('KEY_REFUSED', 'a symbolic link leads out of the folder');
  }
}
