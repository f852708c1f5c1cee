// The report of a run as text, for the terminal.

/**
 * @param {object} report as `reportOf` returned it
 * @param {string[]} files lines about the files that were written
 * @returns {string}
 */
export function textOf({ headline, lines, tables, where }, files) {
  const sections = [
    [headline, ...lines.map(indented)],
    ...tables.map(({ title, columns, rows }) => [title, ...aligned([columns, ...rows]).map(indented)]),
  ];
  if (where.length > 0) {
    sections.push(['Where to look', ...where.flatMap(placeLines).map(indented)]);
  }
  sections.push(files);
  return `\n${sections.map((section) => section.join('\n')).join('\n\n')}\n\n`;
}

function placeLines({ metric, alert, panel, url, runbook }) {
  return [`${metric}: alert ${alert}, runbook ${runbook}`, `  panel “${panel}” at ${url}`];
}

function indented(line) {
  return `  ${line}`;
}

/** Lines of a table, whose columns are as wide as their widest cell. */
function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}
