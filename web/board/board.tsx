/** The page of the board: notes side by side, changed where they stand. What it asks of the store is in notes.ts. */

import { signal, useSignal, useSignalEffect } from '@preact/signals';
import { render } from 'preact';
import '../styles/style.css';
import '../styles/form.css';
import '../styles/board.css';
import { Board, type Card, type Note } from './notes.ts';

const board = signal<Board | undefined>(undefined);
const cards = signal<readonly Card[]>([]);
const status = signal('Opening…');

async function look(): Promise<void> {
  const others = board.peek()?.peer.connections().length ?? 0;
  status.value = others > 0 ? `In touch with ${others} ${others === 1 ? 'peer' : 'peers'}` : 'Alone for now: what you write waits here';
  cards.value = (await board.peek()?.cards(cards.peek())) ?? [];
}

const complain = (error: unknown): void => void (status.value = error instanceof Error ? error.message : String(error));

/** Does something to the board, and shows what came of it. */
async function change(act: (open: Board) => Promise<unknown>): Promise<void> {
  const open = board.peek();
  if (open !== undefined) await act(open).then(look).catch(complain);
}

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
    void change(async (open) => {
      const picture = file instanceof File && file.size > 0 ? { picture: await open.addPicture(file) } : {};
      await open.write(crypto.randomUUID(), { text: typeof text === 'string' ? text : '', ...picture });
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
  /** What is being typed stays, whatever the board looks like meanwhile. */
  const draft = useSignal<string | undefined>(undefined);
  const keep = async (note: Note): Promise<void> => {
    await change((open) => open.write(card.id, note, card.context));
    draft.value = undefined;
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
            value={isConflict ? note.text : (draft.value ?? note.text)}
            readOnly={isConflict}
            onInput={({ currentTarget: { value } }) => (draft.value = value)}
            onChange={({ currentTarget: { value } }) => void keep({ ...note, text: value })}
          />
          {isConflict ? <button onClick={() => void keep(note)}>Keep this one</button> : null}
        </div>
      ))}
      <button onClick={() => void change((open) => open.remove(card))}>Take it off</button>
    </article>
  );
}

function Picture({ name }: { readonly name: string }) {
  const address = useSignal<string | undefined>(undefined);
  useSignalEffect(() => {
    if (cards.value.length > 0 && address.peek() === undefined) void board.value?.picture(name).then((found) => (address.value = found));
  });
  return address.value === undefined ? <p class="note">The picture is on its way…</p> : <img src={address.value} alt="On the note" />;
}

render(<App />, document.body);
Board.open()
  .then((opened) => {
    board.value = opened;
    const lookAgain = (): void => void change(look).then(() => setTimeout(lookAgain, 1500));
    lookAgain();
  })
  .catch(complain);
