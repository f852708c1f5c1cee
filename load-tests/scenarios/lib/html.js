// The report of a run as a page. It is one file without scripts, and loads nothing.

const STYLE = `
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
  .passed { color: light-dark(#17692f, #6fdc8c); } .failed { color: light-dark(#b3261e, #ff8a80); }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.25rem 1.25rem 0.25rem 0; text-align: left; border-bottom: 1px solid light-dark(#ddd, #444); white-space: nowrap; }
  tr.crossed { color: light-dark(#b3261e, #ff8a80); font-weight: 600; }
`;

/**
 * @param {object} report as `reportOf` returned it
 * @returns {string}
 */
export function pageOf({ passed, headline, lines, tables, where }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(headline)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1 class="${passed ? 'passed' : 'failed'}">${escaped(headline)}</h1>
${lines.map((line) => `<p>${escaped(line)}</p>`).join('\n')}
${where.length > 0 ? places(where) : ''}
${tables.map(section).join('\n')}
</body>
</html>
`;
}

function places(where) {
  const items = where.map(
    ({ metric, alert, panel, url, runbook }) =>
      `<li>${escaped(metric)}: alert ${escaped(alert)}, panel <a href="${escaped(url)}">${escaped(panel)}</a>, ` +
      `runbook ${escaped(runbook)}</li>`,
  );
  return `<h2>Where to look</h2>\n<ul>\n${items.join('\n')}\n</ul>`;
}

function section({ title, columns, rows }) {
  const cells = (tag, row) => row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr${row[0] === '✗' ? ' class="crossed"' : ''}>${cells('td', row)}</tr>`);
  return `<h2>${escaped(title)}</h2>
<div class="wide"><table>
<thead><tr>${cells('th', columns)}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table></div>`;
}

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}
