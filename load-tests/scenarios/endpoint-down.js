// PublicEndpointDown: the way from customers to the API is interrupted.
//
// For 6 minutes. The script only generates load, and does not come that way: interrupt it meanwhile, for example by
// disconnecting the blackbox exporter from the network `edge`.

import { everyday } from './lib/everyday.js';

export { default, setup } from './lib/everyday.js';

export const { options, handleSummary } = everyday('endpoint-down');
