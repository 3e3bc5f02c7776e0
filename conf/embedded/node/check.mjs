// Scores the test vectors of an exported folder, and says whether they come out as in Python: node check.mjs FOLDER
// Exit status: 0 all features are equal and all scores within 1e-6; 1 some are not; 2 the folder cannot be used.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "@duckdb/node-api";
import { load } from "./scorer.mjs";

const TOLERANCE = 1e-6;
const SHOWN = 5;

async function main(folder) {
  const scorer = await load(folder);
  const lines = (await readFile(join(folder, "test_vectors.jsonl"), "utf8")).split("\n").filter(Boolean);
  const vectors = lines.map((line) => JSON.parse(line)).filter(({ features }) => features !== null);
  const rows = await scorer.features(vectors.map(({ record }) => record));
  const problems = vectors.flatMap(({ record, features }, number) =>
    Object.keys(features)
      .filter((name) => !Object.is(features[name], rows[number][name]))
      .map((name) => `${record.slice(0, 80)}: ${name}: expected ${features[name]}, found ${rows[number][name]}`),
  );
  const scored = vectors.map((_, number) => number).filter((number) => vectors[number].scores !== null);
  const scores = await scorer.score(scored.map((number) => rows[number]));
  let most = 0;
  scored.forEach((number, place) => {
    for (const [name, expected] of Object.entries(vectors[number].scores)) {
      const difference = Math.abs(expected - scores[place][name]);
      most = Math.max(most, difference);
      if (!(difference <= TOLERANCE)) {
        problems.push(`${vectors[number].record.slice(0, 80)}: ${name}: expected ${expected}, found ${scores[place][name]}`);
      }
    }
  });
  const { model, duckdb } = scorer.manifest;
  console.log(
    `${model.name} version ${model.version}: features of ${rows.length} clicks by DuckDB ${version()} (exported with ` +
      `v${duckdb}), scores of ${scored.length} by ONNX Runtime, ${most} apart at most; ${problems.length} differences`,
  );
  problems.slice(0, SHOWN).forEach((problem) => console.log(`  ${problem}`));
  return problems.length || !scored.length ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv[2]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
