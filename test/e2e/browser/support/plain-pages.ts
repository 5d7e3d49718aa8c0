/**
 * Pages that Playwright does not watch: it writes down every frame of every WebSocket, which is too much with many tabs that talk all the time. Each is of a browser
 * profile of its own.
 */

import type { Browser, CDPSession } from 'playwright';

interface Answer {
  readonly id?: number;
  readonly error?: { readonly message: string };
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
  };
}

export class PlainPage {
  readonly #session: CDPSession;
  readonly #id: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  private constructor(session: CDPSession, id: string) {
    this.#session = session;
    this.#id = id;
    session.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      if (sessionId !== id) return;
      const answer = JSON.parse(message) as Answer;
      this.#waiting.get(answer.id ?? 0)?.(answer);
      this.#waiting.delete(answer.id ?? 0);
    });
  }

  static async open(browser: Browser, url: string): Promise<PlainPage> {
    const session = await browser.newBrowserCDPSession();
    const { browserContextId } = await session.send('Target.createBrowserContext');
    await session.send('Browser.grantPermissions', {
      permissions: ['audioCapture', 'videoCapture'],
      origin: new URL(url).origin,
      browserContextId,
    });
    const { targetId } = await session.send('Target.createTarget', { url, browserContextId });
    const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
    return new PlainPage(session, sessionId);
  }

  /** As with Playwright: the function runs in the page, and knows nothing but its argument. */
  async evaluate<T, A = undefined>(run: (argument: A) => T | Promise<T>, argument?: A): Promise<T> {
    const expression = `(${run.toString()})(${JSON.stringify(argument) ?? ''})`;
    const id = ++this.#asked;
    const message = JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression, awaitPromise: true, returnByValue: true } });
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    await this.#session.send('Target.sendMessageToTarget', { sessionId: this.#id, message });
    const { result, error } = await answered;
    const { exceptionDetails } = result ?? {};
    const failure = error?.message ?? exceptionDetails?.exception?.description ?? exceptionDetails?.text;
    if (failure !== undefined) throw new Error(failure);
    return result?.result?.value as T;
  }
}
