// Checks on the service's own metrics, for faults that do not show in the responses. A run fails if the expected
// symptom is missing.

import http from 'k6/http';
import { Rate } from 'k6/metrics';
import { urls } from './settings.js';

const seen = new Rate('symptom_seen');

/** Threshold: the run fails unless at least one symptom was checked and all of them were observed. */
export const symptomSeen = { symptom_seen: ['rate==1'] };

/**
 * Records in `teardown()` whether the service shows a symptom.
 * @param {string} what the symptom, with the observed values
 * @param {boolean} holds
 */
export function expectSymptom(what, holds) {
  seen.add(holds);
  console[holds ? 'log' : 'error'](`${holds ? 'seen' : 'NOT SEEN'}: ${what}`);
}

/** One scrape of the metrics of a process. */
export class Metrics {
  constructor(samples) {
    this.samples = samples;
  }

  /**
   * Scrapes a process.
   * @param {string} [management] base URL of its management port; the API's by default
   * @returns {Metrics} empty if the process does not answer
   */
  static read(management = urls.apiManagement) {
    const response = http.get(`${management}/metrics`, { tags: { name: '/metrics' } });
    const lines = response.status === 200 ? response.body.split('\n') : [];
    return new Metrics(lines.filter((line) => line !== '' && !line.startsWith('#')));
  }

  /**
   * Returns the sum of all series of a metric whose label text contains `labels`.
   * @param {string} name
   * @param {string} [labels] for example `result="hit"`
   * @returns {number} 0 if there is no such series
   */
  sum(name, labels = '') {
    return this.samples
      .map((line) => /^([^{ ]+)({.*})? (\S+)$/.exec(line))
      .filter((parts) => parts && parts[1] === name && (parts[2] || '').includes(labels))
      .reduce((sum, parts) => sum + Number(parts[3]), 0);
  }
}
