// TargetDown: an exporter is down.
//
// For 6 minutes. The script only generates load: stop an exporter meanwhile, for example with `docker compose stop postgres-exporter`.
// No request fails.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('target-down');
