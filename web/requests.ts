/**
 * What the buttons do, without the buttons: reads, and writes that know what they replace. The context of each key that was read or written here is kept, so that a
 * write replaces what its writer has seen and nothing else (VR1).
 */

import { type KeyName, type Mesh, MeshProblem, type Quorum, type ReadAnswer, type Value, type WriteReceipt } from './mesh/types.ts';
import { textValue } from './mesh/values.ts';

export type Operation = 'put' | 'get' | 'delete' | 'conflict';

interface Took {
  readonly name: KeyName;
  readonly quorum: Quorum;
  readonly ms: number;
}

export type Answer =
  | (Took & { readonly type: 'read'; readonly answer: ReadAnswer; readonly made: boolean })
  | (Took & { readonly type: 'written'; readonly op: 'put' | 'delete'; readonly receipt: WriteReceipt })
  | { readonly type: 'failed'; readonly op: Operation; readonly name: KeyName; readonly code: string; readonly message: string };

export interface Asked {
  readonly op: Operation;
  readonly name: KeyName;
  readonly quorum: Quorum;
  readonly text: string;
  /** Learn what is there before writing, unless it is known already. */
  readonly aware: boolean;
  /** The peer that is asked. */
  readonly via?: string | undefined;
}

type Where = Pick<Asked, 'name' | 'quorum' | 'via'>;

export class Requests {
  readonly #mesh: Mesh;
  readonly #contexts = new Map<string, string>();

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
  }

  async ask(asked: Asked): Promise<Answer> {
    const { op, name, text, aware } = asked;
    return this.#answered(op, name, async () => {
      switch (op) {
        case 'get':
          return this.#read(asked, false);
        case 'put':
          return this.#write(asked, 'put', textValue(text), aware ? await this.#context(asked) : '');
        case 'delete':
          return this.#write(asked, 'delete', undefined, await this.#context(asked));
        case 'conflict':
          return this.#conflict(asked);
      }
    });
  }

  /** Settles a conflict: this value replaces all that a read has shown. */
  resolve(name: KeyName, quorum: Quorum, value: Value, context: string): Promise<Answer> {
    return this.#answered('put', name, () => this.#write({ name, quorum, via: undefined }, 'put', value, context));
  }

  async #answered(op: Operation, name: KeyName, act: () => Promise<Answer>): Promise<Answer> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof MeshProblem) return { type: 'failed', op, name, code: error.code, message: error.message };
      throw error;
    }
  }

  async #read({ name, quorum, via }: Where, made: boolean): Promise<Answer> {
    const answer = await this.#mesh.door(via).read(name, quorum);
    this.#contexts.set(keyOf(name), answer.context);
    return { type: 'read', name, quorum, ms: answer.ms, answer, made };
  }

  async #write({ name, quorum, via }: Where, op: 'put' | 'delete', value: Value | undefined, context: string): Promise<Answer> {
    const receipt = await this.#mesh.door(via).write(name, quorum, value, context);
    if (context === '') this.#contexts.delete(keyOf(name));
    else this.#contexts.set(keyOf(name), receipt.context);
    return { type: 'written', op, name, quorum, ms: receipt.ms, receipt };
  }

  /** Two writers that both saw the same and not each other, then a read that finds what they left. */
  async #conflict(asked: Asked): Promise<Answer> {
    const { name, quorum, text } = asked;
    const context = await this.#context(asked);
    const door = this.#mesh.door(asked.via);
    const write = (writer: string): Promise<WriteReceipt> => door.write(name, quorum, textValue(`${text} (says ${writer})`), context);
    await Promise.all([write('Ada'), write('Grace')]);
    return this.#read(asked, true);
  }

  async #context({ name, quorum, via }: Where): Promise<string> {
    const known = this.#contexts.get(keyOf(name));
    if (known !== undefined) return known;
    const { context } = await this.#mesh.door(via).read(name, quorum);
    this.#contexts.set(keyOf(name), context);
    return context;
  }
}

const keyOf = ({ bucket, key }: KeyName): string => `${bucket}\0${key}`;
