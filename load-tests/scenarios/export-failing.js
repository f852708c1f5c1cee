// CollectorExportFailing: the collector cannot deliver traces.
//
// For 6 minutes. The script only generates load: stop Tempo meanwhile, for example with `docker compose stop tempo`. No request
// fails.

export { default, options, setup } from './lib/everyday.js';
