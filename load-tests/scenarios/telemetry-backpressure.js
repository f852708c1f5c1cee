// TelemetryDropped: the OTLP receiver is down.
//
// For 6 minutes. The script only generates load: stop the receiver meanwhile, for example with `docker compose stop
// otel-collector`. Spans and log records are dropped and counted. No request is affected.

import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'telemetry-backpressure',
  { everyday: constantLoad(steadySeconds(), { vus: 16 }) },
  {
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants);
}
