// Watchdog: Alertmanager is down, and the dead man's switch notices.
//
// For 6 minutes. The script only generates load: stop Alertmanager meanwhile, for example with `docker compose stop alertmanager`.
// The switch raises the alarm after 5 minutes. No request fails.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('watchdog');
