/** The mutations of `npm run test:mutations` follow the code: each still finds the one place that it changes. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projectFolder } from '../e2e/helpers/processes.ts';

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

const { mutations } = (await import(`${projectFolder}test/mutations/mutations.mjs`)) as { mutations: readonly Mutation[] };

describe('the mutations', () => {
  it.each(mutations)('[IN] $name', ({ file, search, replace }) => {
    const text = readFileSync(`${projectFolder}${file}`, 'utf8');
    expect(text.split(search).length - 1).toBe(1);
    expect(replace).not.toBe(search);
  });
});
