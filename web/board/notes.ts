/**
 * A board of notes in a ringmesh store. Every note is one key, its picture another one. The tab is a peer that keeps what it writes, so the board can be written
 * offline. Two people who change one note at the same time leave two values; whoever sees both keeps one.
 */

import { createPeer, type Bucket, type MeshPeer } from 'ringmesh/browser';

export interface Note {
  readonly text: string;
  readonly picture?: string;
}

/** More than one value is a conflict; the context says what a change has seen. */
export interface Card {
  readonly id: string;
  readonly values: readonly Note[];
  readonly context: string;
}

/** One durable copy is enough to write, if need be this tab's own. */
const anyCopy = { mode: 'any', w: 1 } as const;

export class Board {
  readonly peer: MeshPeer;
  readonly #notes: Bucket;
  readonly #pictures: Bucket;

  constructor(peer: MeshPeer) {
    this.peer = peer;
    this.#notes = peer.bucket('board-notes', { timeoutMs: 2000 });
    this.#pictures = peer.bucket('board-pictures', { r: 1 });
  }

  static async open(): Promise<Board> {
    const [{ cluster }, { members }] = await Promise.all(['status', 'members'].map(async (name) => (await fetch(`/v1/${name}`)).json()));
    const bootstrap = (members as { addresses: string[] }[]).flatMap(({ addresses }) => addresses.filter((one) => one.endsWith('/ws')));
    return new Board(await createPeer({ cluster, bootstrap, name: 'board', weight: 8 }));
  }

  /** All notes, and again all of them whenever somebody has changed one. */
  async *cards(): AsyncGenerator<readonly Card[]> {
    const cards = new Map<string, Card>();
    const versions = new Map<string, Note>();
    let isWhole = false;
    for await (const event of this.#notes.watch({ prefix: '' }, { initial: true })) {
      if (event.type === 'change') {
        const id = textOf(event.key);
        if (event.value !== undefined) versions.set(event.dot, JSON.parse(textOf(event.value)) as Note);
        const values = event.current.flatMap((dot) => versions.get(dot) ?? []);
        if (values.length === 0) cards.delete(id);
        else cards.set(id, { id, values, context: event.context });
      } else isWhole = event.type === 'ready';
      if (isWhole) yield [...cards.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
      // All that is there is told anew.
      else if (event.type === 'resync') cards.clear();
    }
  }

  /** A new note has an id that tells the time, so that it comes first. */
  async write(note: Note, id = `${Date.now()}-${crypto.randomUUID()}`, context = ''): Promise<void> {
    await this.#notes.put(id, JSON.stringify(note), { ...anyCopy, ...(context === '' ? {} : { context }) });
  }

  async remove({ id, context }: Card): Promise<void> {
    await this.#notes.delete(id, { ...anyCopy, context });
  }

  async addPicture(file: File): Promise<string> {
    const name = crypto.randomUUID();
    await this.#pictures.put(name, new Uint8Array(await file.arrayBuffer()), { ...anyCopy, contentType: file.type });
    return name;
  }

  /** An address for an image, as soon as somebody who has it can be reached. */
  async picture(name: string): Promise<string | undefined> {
    for await (const event of this.#pictures.watch(name, { initial: true }))
      if (event.type === 'change' && event.value !== undefined)
        return URL.createObjectURL(new Blob([new Uint8Array(event.value)], { type: event.contentType ?? '' }));
    return undefined;
  }
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
