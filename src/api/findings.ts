// What is wrong, in plain sentences: what is, and what to look at. It only reads the view; it guesses no cause that the numbers
// don't show.

import { allReasons, type BoundarySkip } from '../telemetry/index.ts';
import { count, counted, duration } from './format.ts';
import type { Finding, PipelineStage, StageId } from './pipeline.ts';
import type { ShardView, StatusView } from './status-view.ts';
import { familiesOf, insideSlack, sumOf } from './tenant-sums.ts';

/** Ticks may wait a minute for a partition; what trails further is worth a word. */
const TRAILING_MS = 90_000;
/** A tick closes about two seconds after its end. */
const HELD_UP_MS = 10_000;
/** Four boundaries of the usual interval. */
const UNSENT_MS = 60_000;
/** A graph loses its meaning long before every span is late. */
const LATE_SHARE = 0.01;
/** After a start the first boundary takes up to one interval and a wait. */
const SETTLING_MS = 45_000;

export function findingsOf(view: StatusView, stages: readonly PipelineStage[], empty: readonly StageId[]): Finding[] {
  const stage = (id: StageId) => stages.find((s) => s.id === id)!;
  const findings: Finding[] = [];
  if (stage('received').state === 'zero') findings.push(nothingReceived(view, stage('received')));
  for (const id of empty) findings.push(EMPTY[id](view, stage(id)));
  findings.push(...troubles(view, stage, empty));
  if (findings.length === 0)
    findings.push({ severity: 'ok', stage: undefined, text: 'Spans get through every stage.' });
  return findings;
}

const REFUSAL_HINTS: Readonly<Record<string, string>> = {
  not_found: 'the path is /v1/traces',
  method: 'spans are sent by POST',
  content_type: 'send application/x-protobuf or application/json',
  content_encoding: 'gzip, deflate, zstd or no compression',
  no_tenant: 'send the header X-Scope-OrgID',
  bad_tenant: 'the header X-Scope-OrgID holds no valid tenant',
  too_large: 'send smaller batches or raise max_request_body_size',
  bad_encoding: 'the body is not compressed as its header says',
  bad_json: 'the body is no OTLP JSON',
  bad_protobuf: 'the body is no OTLP protobuf',
  overloaded: 'too many bytes are under way at the same time',
  disk_full: "the log's disk is full",
  log_unavailable: 'the log is out of reach',
  log_incompatible: "the topic is read in an encoding that can't hold OTLP",
};

function nothingReceived(view: StatusView, { drops }: PipelineStage): Finding {
  const [worst] = drops;
  if (worst) {
    const hint = REFUSAL_HINTS[worst.reason];
    return error(
      'received',
      `No request has been accepted, most often because of ${worst.reason} (${counted(worst.count, worst.unit)})${hint ? `: ${hint}` : ''}.`,
    );
  }
  const listening = view.receivers.filter(({ address }) => address !== undefined);
  if (listening.length === 0)
    return error(
      'received',
      'No receiver is listening: look at receivers in the configuration and at the log of the start.',
    );
  const where = listening.map(({ name, address }) => `${name} on ${address}`).join(' or ');
  const before = sumOf(view, (t) => t.activeSeries) > 0 ? ' The series are from before it.' : '';
  return {
    severity: 'info',
    stage: 'received',
    text: `No span has come in since the start: point an exporter at ${where}.${before}`,
  };
}

const EMPTY: Readonly<Record<StageId, (view: StatusView, stage: PipelineStage) => Finding>> = {
  received: nothingReceived,
  decoded(view, { drops }) {
    const [worst] = drops;
    if (worst)
      return error(
        'decoded',
        `No record could be decoded, most often because of ${worst.reason}: spanmill's log names their partitions and offsets.`,
      );
    return settling(
      view,
      'decoded',
      `Spans are in the log but none is folded yet, which takes about two seconds.${waiting(view)}`,
      'If it stays so, look at the shards below.',
    );
  },
  in_slack(view) {
    const share = `All ${count(sumOf(view, (t) => t.spansReceived))} spans ended too far from the time of their record`;
    return error(
      'in_slack',
      `${share}: look at the clocks of the senders and at delays before spanmill (tail sampling), or raise metrics_ingestion_time_range_slack.`,
    );
  },
  kept(view, { drops }) {
    if (view.tenants.every((tenant) => familiesOf(tenant).length === 0)) {
      return error('kept', 'No processor is active: look at processors in the overrides.');
    }
    const [worst] = drops;
    return error(
      'kept',
      `Every span is left out${worst ? `, most often because of ${worst.reason}` : ''}: look at filter_policies of the processors.`,
    );
  },
  paired(view, { drops }) {
    const pending = sumOf(view, (t) => t.pendingEdges);
    const expired = drops.find(({ reason }) => reason === 'expired')?.count ?? 0;
    if (expired > 0) {
      const text = `No edge has found its other half, and ${count(expired)} gave up waiting: look at whether both services send spans, whether the trace context is passed on between them, and at service_graphs.wait.`;
      return error('paired', text);
    }
    if (pending > 0)
      return info(
        'paired',
        `${counted(pending, 'edge')} wait for the other half; the first ones show up within seconds.`,
      );
    return error(
      'paired',
      'No span began an edge, so the service graph is empty: edges need spans of kind client and server, or producer and consumer.',
    );
  },
  series(view) {
    const limited = sumOf(view, (t) => t.seriesLimited);
    if (limited > 0)
      return error('series', `No series is alive and ${count(limited)} were not admitted: look at max_active_series.`);
    return error(
      'series',
      'Spans were kept but no series is alive: nothing has come for longer than the stale duration, or the processors make no series of these spans.',
    );
  },
  durable(view) {
    return settling(
      view,
      'durable',
      `No boundary is durable yet: the first comes at the end of the collection interval.${waiting(view)}`,
      "If it stays so, look at the ledger's disk and at spanmill's log.",
    );
  },
  sent(view, { drops }) {
    const failing = view.endpoints.find(({ lastError }) => lastError !== undefined);
    if (failing)
      return error('sent', `Nothing has been taken by an endpoint; ${failing.name} fails: ${failing.lastError}.`);
    if (drops.length > 0)
      return error('sent', 'No endpoint has taken a sample: they were refused or skipped; the log holds the answers.');
    return settling(
      view,
      'sent',
      'Nothing is sent yet: the first boundary goes out when it is due.',
      'If it stays so, look at the endpoints below.',
    );
  },
};

/** What is not empty but not well either. */
function troubles(view: StatusView, stage: (id: StageId) => PipelineStage, empty: readonly StageId[]): Finding[] {
  const received = sumOf(view, (t) => t.spansReceived);
  const late = received - sumOf(view, insideSlack);
  const undecodable = stage('decoded').drops.reduce((sum, drop) => sum + drop.count, 0);
  const limited = sumOf(view, (t) => t.seriesLimited);
  const found: (Finding | false)[] = [
    !empty.includes('decoded') &&
      undecodable > 0 &&
      warning(
        'decoded',
        `${counted(undecodable, 'record')} could not be decoded: spanmill's log names their partitions and offsets.`,
      ),
    !empty.includes('in_slack') &&
      late > received * LATE_SHARE &&
      warning(
        'in_slack',
        `${((late / received) * 100).toFixed(1)} % of the spans came too late or too early to be counted: look at tail sampling, clocks and metrics_ingestion_time_range_slack.`,
      ),
    !empty.includes('series') &&
      limited > 0 &&
      warning(
        'series',
        `${count(limited)} series were not admitted because of a limit; the overflow series keeps the totals right.`,
      ),
    ...view.shards.map((shard) => trailing(view, shard)),
    view.shards.some(({ isLedgerOverLimit }) => isLedgerOverLimit) &&
      warning('durable', 'The ledger is above its limit: the oldest unsent boundaries are given up.'),
    ...view.endpoints.flatMap((endpoint): (Finding | false)[] => {
      const { name, lagMs, lastError, samplesSent, samplesFailed, samplesNotSent, boundariesSkipped } = endpoint;
      const skipped = allReasons(boundariesSkipped);
      const collided = samplesNotSent.relabel_collision;
      const isBehind = lagMs !== undefined && lagMs > UNSENT_MS;
      const refusedAll = endpoint.boundariesRefused;
      return [
        !empty.includes('sent') &&
          isBehind &&
          error('sent', `${name} is ${duration(lagMs)} behind${lastError === undefined ? '' : `: ${lastError}`}.`),
        !empty.includes('sent') &&
          !isBehind &&
          lastError !== undefined &&
          samplesFailed === 0 &&
          warning('sent', `${name} has trouble: ${lastError}. What is unsent waits in the ledger.`),
        !empty.includes('sent') &&
          refusedAll > 0 &&
          samplesSent === 0 &&
          error('sent', `${name} has taken nothing of ${plural(refusedAll, 'boundary', 'boundaries')}, for good.`),
        !empty.includes('sent') &&
          samplesFailed > 0 &&
          warning('sent', `${name} refused ${counted(samplesFailed, 'sample')} for good: the log holds its answers.`),
        !empty.includes('sent') &&
          skipped > 0 &&
          warning(
            'sent',
            `${plural(skipped, 'boundary', 'boundaries')} for ${name} were given up (${skipReasons(boundariesSkipped)}); the totals stay right.`,
          ),
        collided > 0 &&
          warning(
            'sent',
            `write_relabel_configs of ${name} give several series the same labels: ${counted(collided, 'sample')} were not sent.`,
          ),
      ];
    }),
  ];
  return found.filter((finding) => finding !== false);
}

function trailing({ nowMs }: StatusView, { shard, openTickMs, waitingFor, bufferedBytes }: ShardView): Finding | false {
  // Before its first record a shard has no open tick. At rest the open tick goes with the clock.
  if (openTickMs === undefined || nowMs - openTickMs <= TRAILING_MS) return false;
  const why =
    waitingFor === undefined
      ? bufferedBytes > 0
        ? ': it is catching up'
        : ''
      : `: it waits for partition ${waitingFor}`;
  return warning('decoded', `Shard ${shard} is ${duration(nowMs - openTickMs)} behind${why}.`);
}

/** A tick always waits for some partition; only one that holds it up is worth naming. */
function waiting({ shards, nowMs }: StatusView): string {
  const held = shards.find(
    ({ openTickMs, waitingFor }) => waitingFor !== undefined && nowMs - (openTickMs ?? nowMs) > HELD_UP_MS,
  );
  return held ? ` Shard ${held.shard} waits for partition ${held.waitingFor}.` : '';
}

function settling({ uptimeMs }: StatusView, stage: StageId, text: string, ifItStays: string): Finding {
  return { severity: uptimeMs < SETTLING_MS ? 'info' : 'error', stage, text: `${text} ${ifItStays}` };
}

function plural(value: number, singular: string, many: string): string {
  return `${count(value)} ${value === 1 ? singular : many}`;
}

function error(stage: StageId, text: string): Finding {
  return { severity: 'error', stage, text };
}

function warning(stage: StageId, text: string): Finding {
  return { severity: 'warning', stage, text };
}

function info(stage: StageId, text: string): Finding {
  return { severity: 'info', stage, text };
}

const SKIPPED: Record<BoundarySkip, string> = {
  age: 'older than sample_age_limit',
  ledger_full: 'no room in the ledger',
  behind: 'it can’t keep up',
  window: 'too old for the receiver',
};

function skipReasons(byReason: Readonly<Record<BoundarySkip, number>>): string {
  return (Object.keys(SKIPPED) as BoundarySkip[])
    .filter((reason) => byReason[reason] > 0)
    .map((reason) => `${SKIPPED[reason]}: ${byReason[reason]}`)
    .join(', ');
}
