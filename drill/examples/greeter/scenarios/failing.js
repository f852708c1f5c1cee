// Triggers GreetingsFailing: half of the greetings fail.
import http from 'k6/http';
import { sleep } from 'k6';

const url = __ENV.GREETER_URL || 'http://127.0.0.1:8000';

export const options = { vus: 2, duration: __ENV.DURATION || '5m' };

export function setup() {
  http.put(`${url}/faults`, JSON.stringify({ failing_ratio: 0.5 }));
}

export default function () {
  http.get(`${url}/hello`);
  sleep(0.1);
}

// Also after an interruption, which ends the run of a drill.
export function teardown() {
  http.del(`${url}/faults`);
}
