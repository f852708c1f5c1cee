// What a fault does to the service is not always visible to its customers. Here a test reads the service's own
// metrics, and fails if the fault left no trace in them.

import http from 'k6/http';
import { Rate } from 'k6/metrics';
import { urls } from './settings.js';

const seen = new Rate('symptom_seen');

/** The threshold that makes a run fail unless all its symptoms were seen, and there was one to look for. */
export const symptomSeen = { symptom_seen: ['rate==1'] };

/**
 * Says in `teardown()` whether the service shows what it should.
 * @param {string} what the symptom, with the numbers that were seen
 * @param {boolean} holds
 */
export function expectSymptom(what, holds) {
  seen.add(holds);
  console[holds ? 'log' : 'error'](`${holds ? 'seen' : 'NOT SEEN'}: ${what}`);
}

/** The metrics of one process at one moment. */
export class Metrics {
  constructor(samples) {
    this.samples = samples;
  }

  /**
   * Reads the metrics of a process.
   * @param {string} [management] its management address; the API's if it is left out
   * @returns {Metrics} without any sample if the process does not answer
   */
  static read(management = urls.apiManagement) {
    const response = http.get(`${management}/metrics`, { tags: { name: '/metrics' } });
    const lines = response.status === 200 ? response.body.split('\n') : [];
    return new Metrics(lines.filter((line) => line !== '' && !line.startsWith('#')));
  }

  /**
   * The sum of all series of a metric whose labels contain `labels`.
   * @param {string} name
   * @param {string} [labels] such as `result="hit"`
   * @returns {number} 0 if there is no such series
   */
  sum(name, labels = '') {
    return this.samples
      .map((line) => /^([^{ ]+)({.*})? (\S+)$/.exec(line))
      .filter((parts) => parts && parts[1] === name && (parts[2] || '').includes(labels))
      .reduce((sum, parts) => sum + Number(parts[3]), 0);
  }
}
