/** The form: which key, which value, how many peers must answer, and in one sentence what that choice promises. */

import type { Mode } from 'ringmesh';
import { html } from './dom.ts';
import type { KeyName, Quorum } from './gateway.ts';
import type { Asked, Operation } from './requests.ts';

export interface FormHooks {
  ask(asked: Asked): void;
  /** The key was changed; undefined when the form names none. */
  named(name: KeyName | undefined): void;
}

const operations: readonly string[] = ['put', 'get', 'delete', 'conflict'];
const isOperation = (text: string | undefined): text is Operation => text !== undefined && operations.includes(text);
const majority = (n: number): number => Math.floor(n / 2) + 1;

export class RequestForm {
  readonly #form: HTMLFormElement;
  readonly #promise: HTMLElement;
  readonly #hooks: FormHooks;
  #n = 0;

  constructor(form: HTMLFormElement, promise: HTMLElement, hooks: FormHooks) {
    this.#form = form;
    this.#promise = promise;
    this.#hooks = hooks;
    this.copies(3);
    form.addEventListener('submit', (event) => this.#submitted(event));
    form.addEventListener('change', () => this.#sayPromise());
    form.addEventListener('input', () => hooks.named(this.name));
  }

  get name(): KeyName | undefined {
    const [bucket, key] = [this.#text('bucket'), this.#text('key')];
    return bucket !== '' && key !== '' && this.#field('bucket').validity.valid ? { bucket, key } : undefined;
  }

  get quorum(): Quorum {
    return { r: Number(this.#text('r')), w: Number(this.#text('w')), mode: this.#text('mode') as Mode };
  }

  /** How many peers hold a key of this bucket. R and W start as majorities of it. */
  copies(n: number): void {
    if (n === this.#n || n < 1) return;
    this.#n = n;
    (this.#form.elements.namedItem('n') as HTMLOutputElement).value = `${n}`;
    for (const name of ['r', 'w']) {
      const select = this.#form.elements.namedItem(name) as HTMLSelectElement;
      const options = Array.from({ length: n }, (_, index) => html('option', { value: index + 1 }, `${index + 1}`));
      select.replaceChildren(...options);
      select.value = `${majority(n)}`;
    }
    this.#sayPromise();
  }

  /** Puts a text into the value field, ready to be changed. */
  edit(text: string): void {
    const value = this.#form.elements.namedItem('value') as HTMLTextAreaElement;
    value.value = text;
    value.focus();
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    const pressed = event.submitter instanceof HTMLButtonElement ? event.submitter.value : 'put';
    const { name } = this;
    if (!isOperation(pressed) || name === undefined) return;
    const aware = (this.#form.elements.namedItem('aware') as HTMLInputElement).checked;
    this.#hooks.ask({ op: pressed, name, quorum: this.quorum, text: this.#text('value'), aware });
  }

  #sayPromise(): void {
    const { r, w, mode } = this.quorum;
    this.#promise.textContent = promiseText(this.#n, r, w, mode);
  }

  #field(name: string): HTMLInputElement {
    return this.#form.elements.namedItem(name) as HTMLInputElement;
  }

  #text(name: string): string {
    return this.#field(name).value;
  }
}

function promiseText(n: number, r: number, w: number, mode: Mode): string {
  if (r + w <= n) return `${r} + ${w} ≤ ${n}: quick, but a read may miss the last write.`;
  if (mode === 'strict') return `${r} + ${w} > ${n}: a read always meets the last write, or fails when too few owners answer.`;
  return `${r} + ${w} > ${n}: a read meets the last write, unless owners are away and stand-ins answer for them.`;
}
