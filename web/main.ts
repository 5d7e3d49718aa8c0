/**
 * The demo page: the ring of a mesh as the peer that serves the page sees it, and a form to write and read through that peer. This file fetches and hands
 * out; each part of the page draws itself.
 */

import type { MeshEvent } from 'ringmesh';
import { AnswerPanel } from './answer-panel.ts';
import { byId, html } from './dom.ts';
import { EventLog } from './event-log.ts';
import * as gateway from './gateway.ts';
import { GatewayFailure, type KeyName } from './gateway.ts';
import { type MeshView, nameIn } from './mesh-view.ts';
import { peerHue, peerNames } from './names.ts';
import { PeerList } from './peer-list.ts';
import { placementText } from './placement-text.ts';
import { RequestForm } from './request-form.ts';
import { type Answer, Requests } from './requests.ts';
import { RingDrawing } from './ring-view.ts';

const refreshMs = 3000;
const afterEventMs = 120;
const afterTypingMs = 150;

let view: MeshView | undefined;
let refreshTimer = 0;
let typingTimer = 0;
let placing = new AbortController();
let latest: Promise<Answer> | undefined;

const connection = byId('connection', HTMLElement);
const placementLine = byId('placement', HTMLElement);
const requests = new Requests();
const drawing = new RingDrawing(byId('ring-drawing', SVGSVGElement), (peer) => list.toggle(peer));
const list = new PeerList(byId('peer-list', HTMLUListElement), (peer) => drawing.highlight(peer));
const log = new EventLog(byId('events', HTMLOListElement));
const answers = new AnswerPanel(byId('answer', HTMLElement), {
  keep: ({ name, quorum, answer }, value) => void ask(requests.resolve(name, quorum, value, answer.context)),
  edit: (text) => form.edit(text),
});
const form = new RequestForm(byId('request', HTMLFormElement), byId('promise', HTMLElement), {
  ask: (asked) => void ask(requests.ask(asked)),
  named: () => {
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => void showPlacement(), afterTypingMs);
  },
});

/** Only the answer to the latest request is shown. */
async function ask(asking: Promise<Answer>): Promise<void> {
  latest = asking;
  answers.busy();
  const answer = await asking;
  if (latest === asking) answers.show(answer, view);
}

async function refresh(): Promise<void> {
  clearTimeout(refreshTimer);
  try {
    const [status, members] = await Promise.all([gateway.status(), gateway.members()]);
    const isNewRing = view?.ring.digest !== status.ringDigest;
    const ring = view === undefined || isNewRing ? await gateway.ring() : view.ring;
    const names = peerNames(members);
    const byName = members.toSorted((a, b) =>
      (names.get(a.peer) ?? '').localeCompare(names.get(b.peer) ?? '', undefined, { numeric: true }),
    );
    // Hues are given in the order of the first look.
    for (const { peer } of byName) peerHue(peer);
    view = { members: byName, names, ring, self: status.peer };
    drawing.update(view);
    list.update(view);
    sayConnected(view);
    await showPlacement();
  } catch (error) {
    if (!(error instanceof GatewayFailure)) throw error;
    sayLost();
  } finally {
    refreshTimer = setTimeout(() => void refresh(), refreshMs);
  }
}

async function showPlacement(): Promise<void> {
  placing.abort();
  placing = new AbortController();
  const name: KeyName | undefined = form.name;
  if (name === undefined) {
    drawing.place(undefined);
    placementLine.textContent = 'Type a bucket and a key to see where it lives.';
    return;
  }
  try {
    const placement = await gateway.placement(name, placing.signal);
    drawing.place(placement);
    form.copies(placement.primaries.length);
    const said = html('p', {}, ...placementText(name, placement, view));
    if (placementLine.textContent !== said.textContent) placementLine.replaceChildren(...said.childNodes);
  } catch (error) {
    if (error instanceof GatewayFailure && error.code !== 'OFFLINE') placementLine.textContent = error.message;
  }
}

function sayConnected({ members, self, ring }: MeshView): void {
  const counts = new Map<string, number>();
  for (const { state } of members) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  connection.className = members.every((member) => member.state !== 'suspect' && member.state !== 'dead') ? 'pill good' : 'pill warning';
  const text = `${states} · seen by ${nameIn(view, self)} · ring ${ring.digest.slice(0, 8)}`;
  if (connection.textContent !== text) connection.textContent = text;
}

function sayLost(): void {
  connection.className = 'pill bad';
  connection.textContent = 'The peer that serves this page does not answer. Trying again…';
}

function happened(event: MeshEvent): void {
  if (event.type === 'hop') drawing.hop(event);
  log.add(event, view);
  if (event.type !== 'member' && event.type !== 'ring' && event.type !== 'link') return;
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => void refresh(), afterEventMs);
}

gateway.follow(happened, () => void refresh(), sayLost);
void refresh();
