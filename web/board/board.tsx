/** The page of the board: notes side by side, changed where they stand. What it asks of the store is in notes.ts. */

import { signal, useSignal } from '@preact/signals';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { Board, type Card, type Note } from './notes.ts';

const board = signal<Board | undefined>(undefined);
const cards = signal<readonly Card[]>([]);
const status = signal('Opening…');

const complain = (error: unknown): void => void (status.value = error instanceof Error ? error.message : String(error));

/** Does something to the board; what came of it is told like any other change. */
const change = (act: (open: Board) => Promise<unknown>): void => void (board.value && act(board.value).catch(complain));

function App() {
  return (
    <>
      <header>
        <h1>A board of notes</h1>
        <p class="tagline">Kept by the tabs that show it and the peers of the store. Write when you are offline, too.</p>
        <p class="pill" role="status">
          {status.value}
        </p>
        <a href="./">The ring</a>
      </header>
      <main class="board">
        <NewNote />
        {cards.value.map((card) => (
          <NoteCard key={card.id} card={card} />
        ))}
      </main>
    </>
  );
}

function NewNote() {
  const pin = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const [text, file] = ['text', 'file'].map((name) => new FormData(form).get(name));
    form.reset();
    change(async (open) => {
      const picture = file instanceof File && file.size > 0 ? { picture: await open.addPicture(file) } : {};
      await open.write({ text: typeof text === 'string' ? text : '', ...picture });
    });
  };
  return (
    <form class="note-card" onSubmit={pin}>
      <label>
        A new note <textarea name="text" rows={3} required />
      </label>
      <label>
        A picture <input name="file" type="file" accept="image/*" />
      </label>
      <button class="primary" disabled={board.value === undefined}>
        Pin it
      </button>
    </form>
  );
}

function NoteCard({ card }: { readonly card: Card }) {
  const isConflict = card.values.length > 1;
  /** What is being typed stays, whatever the board looks like meanwhile. `keptOn`: the context that the card had when it was kept. */
  const draft = useSignal<{ readonly text: string; readonly keptOn?: string } | undefined>(undefined);
  const typed = (draft.value?.keptOn ?? card.context) === card.context ? draft.value?.text : undefined;
  const keep = (note: Note): void => {
    draft.value = { text: note.text, keptOn: card.context };
    change((open) => open.write(note, card.id, card.context));
  };
  return (
    <article class={`note-card${isConflict ? ' conflict' : ''}`} aria-label={isConflict ? 'Note with a conflict' : 'Note'}>
      {isConflict ? <p class="warning">Changed by several people at once. Keep one:</p> : null}
      {card.values.map((note, index) => (
        <div key={index}>
          {note.picture === undefined ? null : <Picture name={note.picture} />}
          <textarea
            aria-label="Text of the note"
            rows={3}
            value={isConflict ? note.text : (typed ?? note.text)}
            readOnly={isConflict}
            onInput={({ currentTarget: { value } }) => (draft.value = { text: value })}
            onChange={({ currentTarget: { value } }) => keep({ ...note, text: value })}
          />
          {isConflict ? <button onClick={() => keep(note)}>Keep this one</button> : null}
        </div>
      ))}
      <button onClick={() => change((open) => open.remove(card))}>Take it off</button>
    </article>
  );
}

function Picture({ name }: { readonly name: string }) {
  const address = useSignal<string | undefined>(undefined);
  useEffect(() => change(async (open) => (address.value = await open.picture(name))), [name]);
  return address.value === undefined ? <p class="note">The picture is on its way…</p> : <img src={address.value} alt="On the note" />;
}

async function show(): Promise<void> {
  const open = (board.value = await Board.open());
  setInterval(() => {
    const others = open.peer.connections().length;
    status.value = others > 0 ? `In touch with ${others} ${others === 1 ? 'peer' : 'peers'}` : 'Alone for now: what you write waits here';
  }, 1000);
  for await (const found of open.cards()) cards.value = found;
}

render(<App />, document.body);
show().catch(complain);
