// NotificationsFailing: the receiver of notifications is down.
//
// For 6 minutes. The script only generates load: stop the receiver meanwhile, for example with `docker compose stop alert-receiver`.
// The alert is delivered when it is back. No request fails.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('notifications-failing');
