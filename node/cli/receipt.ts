/** The receipt of a put or delete, for a person: one line that says how it went, then the replicas when something is missing, and the context. */

import type { Receipt } from '../client/api.ts';
import { countText, hostText, note, print, shortId, table, visible } from './output.ts';

export function printReceipt(what: 'put' | 'delete', bucket: string, key: string, receipt: Receipt): void {
  const holders = receipt.replicas.filter((replica) => replica.state === 'stored').length;
  const held = `${holders} of ${countText(receipt.replicas.length, 'replica')}, ${countText(receipt.hosts, 'host')}`;
  const name = `${bucket}/${visible(key)}`;
  if (receipt.outcome === 'ok')
    print(`${what === 'put' ? 'stored' : 'deleted'} ${name}: acknowledged by ${held}${receipt.sloppy ? ', fallbacks among them' : ''}`);
  else if (receipt.outcome === 'partial') print(`PARTIAL ${what} of ${name}: acknowledged by only ${held}; the write goes on`);
  else print(`UNKNOWN ${what} of ${name}: nobody acknowledged in time; it may still take effect`);
  if (receipt.outcome !== 'ok') {
    const rows = receipt.replicas.map((replica) => [
      shortId(replica.peer),
      hostText(replica),
      replica.role,
      replica.state,
      replica.durable ? 'durable' : '',
    ]);
    print(table(['PEER', 'HOST', 'ROLE', 'STATE', ''], rows, '  '));
  }
  if (receipt.context !== '') print(`context ${receipt.context}`);
  if (!receipt.overlap) note('note: r + w does not exceed n here, so a get may not see this yet');
}
