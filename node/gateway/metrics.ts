/**
 * Metrics for Prometheus, fed from the peer's one event stream and from its status at the time of the scrape. The registry is the gateway's own, so
 * that several peers may live in one process.
 */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MeshEvent, MeshPeer } from 'ringmesh';

const latencySeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** prom-client measures the event loop with a timer of this period; its default of 10 ms would keep an idle peer awake. */
const loopSampleMs = 200;

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** Counts one answer of the HTTP gateway. */
  countAnswer(method: string, status: number): void;
  close(): void;
}

export function createMetrics(peer: MeshPeer): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopSampleMs });
  registerGauges(registry, peer);
  const answers = new Counter({
    name: 'ringmesh_http_answers_total',
    help: 'Answers of the HTTP gateway',
    labelNames: ['method', 'status'] as const,
    registers: [registry],
  });
  const stop = peer.onEvent(eventCounters(registry));
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    countAnswer: (method, status) => answers.inc({ method, status }),
    close: () => {
      stop();
      registry.clear();
    },
  };
}

/** Counts what the event stream tells. */
function eventCounters(registry: Registry): (event: MeshEvent) => void {
  const registers = [registry];
  const requests = new Counter({
    name: 'ringmesh_requests_total',
    help: 'Requests that clients made to this peer, by how they ended',
    labelNames: ['op', 'outcome'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'ringmesh_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['op'] as const,
    buckets: latencySeconds,
    registers,
  });
  const conflicts = new Counter({ name: 'ringmesh_conflicts_total', help: 'Gets that found several siblings', registers });
  const forwarded = new Counter({ name: 'ringmesh_forwarded_total', help: 'Requests handed to a peer of the preference list', registers });
  const ringChanges = new Counter({ name: 'ringmesh_ring_changes_total', help: 'Changes of this peer’s ring', registers });
  const badFrames = new Counter({ name: 'ringmesh_bad_frames_total', help: 'Messages from peers that were not valid', registers });
  const repairs = new Counter({ name: 'ringmesh_read_repairs_total', help: 'Replicas repaired after a get', registers });
  const hints = new Counter({
    name: 'ringmesh_hint_actions_total',
    help: 'Hints stored and delivered',
    labelNames: ['action'] as const,
    registers,
  });
  const amnesia = new Counter({ name: 'ringmesh_amnesia_total', help: 'Times this store began a new epoch', registers });
  const storageErrors = new Counter({
    name: 'ringmesh_storage_errors_total',
    help: 'Failures of the storage',
    labelNames: ['code'] as const,
    registers,
  });
  return (event) => {
    switch (event.type) {
      case 'request':
        requests.inc({ op: event.op, outcome: event.outcome });
        seconds.observe({ op: event.op }, event.ms / 1000);
        if (event.siblings > 1) conflicts.inc();
        if (event.forwarded) forwarded.inc();
        break;
      case 'ring':
        ringChanges.inc();
        break;
      case 'badFrame':
        badFrames.inc();
        break;
      case 'readRepair':
        repairs.inc();
        break;
      case 'hint':
        hints.inc({ action: event.action });
        break;
      case 'amnesia':
        amnesia.inc();
        break;
      case 'storageError':
        storageErrors.inc({ code: event.code });
        break;
      default:
        break;
    }
  };
}

/** Read from the peer's status when scraped. */
function registerGauges(registry: Registry, peer: MeshPeer): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  new Gauge({
    name: 'ringmesh_members',
    help: 'Members as this peer sees them, itself included',
    labelNames: ['state'] as const,
    registers,
    collect() {
      for (const [state, count] of Object.entries(peer.status().members)) this.set({ state }, count);
    },
  });
  gauge('ringmesh_hints', 'Hints that wait for their owner', () => peer.status().hints);
  gauge('ringmesh_pending_requests', 'Requests under way at this peer', () => peer.status().pendingRequests);
  gauge('ringmesh_ready', 'Whether this peer knows its ring', () => Number(peer.status().ready));
  gauge('ringmesh_storage_healthy', 'Whether the storage works', () => Number(peer.status().storage.healthy));
  gauge('ringmesh_storage_durable', 'Whether acknowledged writes survive a kill', () => Number(peer.status().storage.durable));
  gauge('ringmesh_uptime_seconds', 'Time since this peer started', () => peer.status().uptimeMs / 1000);
}
