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
  readonly #written = new Set<string>();

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

  /** All notes. What cannot be read from others now is as this tab itself has it. */
  async cards(before: readonly Card[]): Promise<Card[]> {
    const { keys, complete } = await this.#notes.keys();
    const ids = new Set(keys.map((key) => new TextDecoder().decode(key)));
    if (!complete || this.peer.connections().length === 0)
      for (const id of [...before.map((card) => card.id), ...this.#written]) ids.add(id);
    const found = await Promise.all([...ids].map((id) => this.#notes.get(id).catch(() => this.#notes.local(id))));
    return [...ids].flatMap((id, index): Card[] => {
      const got = found[index];
      if (got === undefined) return before.filter((card) => card.id === id);
      const values = got.siblings.map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as Note);
      return values.length === 0 ? [] : [{ id, values, context: got.context }];
    });
  }

  async write(id: string, note: Note, context = ''): Promise<void> {
    this.#written.add(id);
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

  /** An address for an image; undefined while nobody who has it can be reached. */
  async picture(name: string): Promise<string | undefined> {
    const found = await this.#pictures.get(name).then(
      ({ siblings }) => siblings[0],
      () => undefined,
    );
    return found && URL.createObjectURL(new Blob([new Uint8Array(found.value)], { type: found.contentType ?? '' }));
  }
}
