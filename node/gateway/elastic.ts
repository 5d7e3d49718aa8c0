/**
 * Members that come and go, over HTTP: POST /v1/leave of the peer that is asked (an answer in lines, as POST /v1/repair has), DELETE /v1/members/:peer of one that will not
 * come back, and GET /v1/plan of what would move.
 */

import type { PlanRequest } from 'ringmesh';
import { GatewayError } from './errors.ts';
import { type Gateway, jsonResponse, type RequestContext, targetOf } from './gateway.ts';
import { parseQuery, queryCount, queryText } from './target.ts';
import { streamed } from './upkeep.ts';

export function postLeave(c: RequestContext, { peer }: Gateway): Promise<Response> {
  parseQuery(targetOf(c).query, []);
  return streamed(c, undefined, async (options) => {
    await peer.leave(options);
    return { peer: peer.id, status: 'left' };
  });
}

export async function deleteMember(c: RequestContext, { peer }: Gateway): Promise<Response> {
  parseQuery(targetOf(c).query, []);
  await peer.remove(c.req.param('peer') ?? '');
  return jsonResponse(JSON.stringify({ removed: c.req.param('peer') }));
}

export async function getPlan(c: RequestContext, { peer }: Gateway): Promise<Response> {
  const query = parseQuery(targetOf(c).query, ['action', 'peer', 'weight', 'host', 'class']);
  const action = oneOf(queryText(query, 'action'), ['join', 'leave', 'replace'] as const, 'action');
  const durability = oneOf(queryText(query, 'class') ?? 'server', ['server', 'tab', 'ephemeral'] as const, 'class');
  const weight = queryCount(query, 'weight', 0, 1024);
  const [member, host] = [queryText(query, 'peer'), queryText(query, 'host')];
  const request: PlanRequest = {
    action,
    class: durability,
    ...(member === undefined ? {} : { peer: member }),
    ...(host === undefined ? {} : { host }),
    ...(weight === undefined ? {} : { weight }),
  };
  return jsonResponse(JSON.stringify(await peer.plan(request)));
}

function oneOf<T extends string>(value: string | undefined, known: readonly T[], name: string): T {
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw new GatewayError('OPTION_INVALID', `${name} must be one of ${known.join(', ')}`);
  return found;
}
