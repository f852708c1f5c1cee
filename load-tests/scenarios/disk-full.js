// DiskAlmostFull: a file system is full.
//
// For 6 minutes. The script only generates load: fill a file system meanwhile that nothing else uses. No request fails.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('disk-full');
