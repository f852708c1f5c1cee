// The end of a run: a report on the terminal, the same as a page, and the results as JSON. The next run of the same script is
// compared with these results.

import { pageOf } from './html.js';
import { reportOf } from './report.js';
import { FORMAT, resultsOf } from './results.js';
import { variable } from './settings.js';
import { textOf } from './text.js';

const FOLDER = variable('RESULTS_DIR', decodeURI(import.meta.resolve('../../results').replace('file://', '')));
/** Where a browser finds the files, if that is not the folder itself. */
const BASE_URL = variable('RESULTS_URL', FOLDER);

/**
 * Returns k6's `handleSummary` of a test.
 * @param {string} name the script
 * @param {string} testId the tag `testid`
 * @param {string[]} scenarios names of its k6 scenarios
 * @returns {Function}
 */
export function summaryOf(name, testId, scenarios) {
  const previous = read(`${FOLDER}/${name}.json`);
  return (data) => {
    const results = resultsOf({ name, testId, scenarios }, data, new Date());
    const report = reportOf(results, previous);
    const page = { [`${FOLDER}/${name}.html`]: pageOf(report) };
    if (results.requests.count === 0) {
      // Nothing to compare the next run with.
      return { stdout: textOf(report, [`page     ${BASE_URL}/${name}.html`]), ...page };
    }
    return {
      stdout: textOf(report, [`page     ${BASE_URL}/${name}.html`, `results  ${BASE_URL}/${name}.json`]),
      ...page,
      [`${FOLDER}/${name}.json`]: JSON.stringify(results, null, 2),
    };
  };
}

/** The results of the last run; null if there is none. */
function read(path) {
  try {
    const results = JSON.parse(open(path));
    return results.format === FORMAT ? results : null;
  } catch {
    return null;
  }
}
