// An exported folder scores clicks in Node.js: the features file in DuckDB, the model in ONNX Runtime.
//
// The clicks must be valid: DuckDB reads them with the types of the contract, and is kinder than the contract is. The
// verdicts and reasons for records that are no clicks are the business of the scorer in Python.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import ort from "onnxruntime-node";

const FORMAT = 1;
// As in the scorer in Python: rows come out in the order in which they went in, and there is no way out.
const SETTINGS = [
  "SET threads = 1",
  "SET preserve_insertion_order = true",
  "SET TimeZone = 'UTC'",
  "PRAGMA disable_optimizer",
  "SET autoinstall_known_extensions = false",
  "SET autoload_known_extensions = false",
  "SET enable_external_access = false",
  "SET lock_configuration = true",
];
const ARRAYS = {
  float32: (values) => Float32Array.from(values, asNumber),
  float64: (values) => Float64Array.from(values, asNumber),
  int32: (values) => Int32Array.from(values, Number),
  int64: (values) => BigInt64Array.from(values, BigInt),
  bool: (values) => Uint8Array.from(values, Number),
  string: (values) => values,
};

/** Loads a folder, after its files have been checked against their digests. */
export async function load(folder) {
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  if (manifest.format !== FORMAT) {
    throw new Error(`${folder}: expected format ${FORMAT}, found ${manifest.format}`);
  }
  const moved = Object.keys(manifest.click.readings ?? {});
  if (moved.length) {
    throw new Error(`${folder}: only the scorer in Python reads fields by click.from and click.lenient: ${moved}`);
  }
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = createHash("sha256").update(await readFile(join(folder, name))).digest("hex");
    if (found !== expected) {
      throw new Error(`${folder}: ${name}: expected SHA-256 ${expected}, found ${found}`);
    }
  }
  if (!("model.onnx" in manifest.files)) {
    throw new Error(`${folder}: there is no model.onnx: ${manifest.without_onnx}`);
  }
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const select = await readFile(join(folder, "features.sql"), "utf8");
  return new Scorer(manifest, await open(manifest.click.fields, select), session);
}

async function open(fields, select) {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  for (const setting of SETTINGS) {
    await connection.run(setting);
  }
  await connection.run(`CREATE TABLE click (${fields.map(({ name, type }) => `${quoted(name)} ${type}`).join(", ")})`);
  await connection.run(`CREATE VIEW features AS ${select.replace(/^\uFEFF/, "")}`);
  return connection;
}

class Scorer {
  constructor(manifest, connection, session) {
    this.manifest = manifest;
    this.connection = connection;
    this.session = session;
  }

  /** Returns the inputs of the model for each of some valid clicks, given as texts of JSON. */
  async features(records) {
    const { click, inputs } = this.manifest;
    const types = JSON.stringify(Object.fromEntries(click.fields.map(({ name, type }) => [name, zoned(type)])));
    await this.connection.run("DELETE FROM click");
    for (const record of records) {
      await this.connection.run(
        `INSERT INTO click BY NAME SELECT fields.* FROM (SELECT from_json($1, ${literal(types)}) AS fields)`,
        [record],
      );
    }
    const casts = inputs.map(({ name, type }) => `TRY_CAST(${quoted(name)} AS ${type}) AS ${quoted(name)}`);
    const found = await this.connection.runAndReadAll(`SELECT ${casts.join(", ")} FROM features`);
    return found.getRowObjectsJson(); // a BIGINT is a text of digits, and so are NaN and infinities, as in the vectors
  }

  /** Returns the score columns for each row of inputs. */
  async score(rows) {
    const results = await this.session.run(this.#feeds(rows));
    const columns = this.session.outputNames.flatMap((name) => {
      const { data } = results[name];
      const width = data.length / rows.length;
      return Array.from({ length: width }, (_, column) => (row) => Number(data[row * width + column]));
    });
    const outputs = Object.entries(this.manifest.outputs);
    return rows.map((_, row) => Object.fromEntries(outputs.map(([name, position]) => [name, columns[position](row)])));
  }

  #feeds(rows) {
    const { inputMetadata } = this.session;
    const feeds = {};
    for (const { name, type, shape } of inputMetadata) {
      const names = inputMetadata.length === 1 ? this.manifest.inputs.map((input) => input.name) : [name];
      const values = rows.flatMap((row) => names.map((each) => row[each]));
      feeds[name] = new ort.Tensor(type, ARRAYS[type](values), shape.length === 1 ? [rows.length] : [rows.length, names.length]);
    }
    return feeds;
  }
}

function asNumber(value) {
  return value === null ? NaN : Number(value);
}

// DuckDB passes over the zone of a text that it reads as a TIMESTAMP. With it, the time goes into the table in UTC.
function zoned(type) {
  return type.replaceAll(/(?<![^ (])TIMESTAMP(?![^[,)])/g, "TIMESTAMPTZ");
}

function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text) {
  return `'${text.replaceAll("'", "''")}'`;
}
