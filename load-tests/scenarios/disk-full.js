// DiskAlmostFull: a file system is full.
//
// For 6 minutes. The script only generates load: fill a file system meanwhile that nothing else uses. No request fails.

export { default, options, setup } from './lib/everyday.js';
