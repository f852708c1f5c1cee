// Parses LogQL and TraceQL with the grammars of Grafana's query editor. Reads a list from standard input,
// [{ "language": "logql" | "traceql", "expression": "…" }], and writes one result per item:
// [{ "isMetric": …, "errors": [offset in UTF-16 code units] }].

const { readFileSync } = require('node:fs');
const logql = require('@grafana/lezer-logql');
const traceql = require('@grafana/lezer-traceql');

const parsers = { logql: logql.parser, traceql: traceql.parser };

function parse({ language, expression }) {
  const found = { isMetric: false, errors: [] };
  parsers[language].parse(expression).iterate({
    enter({ type, from }) {
      if (type.isError) found.errors.push(from);
      if (type.name === 'MetricExpr') found.isMetric = true;
    },
  });
  return found;
}

const queries = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(queries.map(parse)));
