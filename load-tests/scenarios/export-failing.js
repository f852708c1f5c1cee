// CollectorExportFailing: the collector cannot deliver traces.
//
// For 6 minutes. The script only generates load: stop Tempo meanwhile, for example with `docker compose stop tempo`. No request
// fails.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('export-failing');
