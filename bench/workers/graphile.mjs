// A process of Graphile Worker, or its migration: `node graphile.mjs work|migrate`.
//
// The witness is the file that witness.py describes. Node cannot map a file into memory, so the count is kept here and
// written a few milliseconds after a call; an idle process writes nothing.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { run, runMigrations, Logger } = await import(require.resolve("graphile-worker"));

const HEADER_CELLS = 3;
const FLUSH_MILLISECONDS = 5;
const number = (name) => Number(process.env[name]);

const witness = process.env.BENCH_WITNESS ? fs.openSync(process.env.BENCH_WITNESS, "r+") : null;
const header = new BigInt64Array(HEADER_CELLS);
const cell = new BigInt64Array(1);
let calls = 0;
let flushing = false;

function flush() {
  flushing = false;
  header[0] = BigInt(calls);
  header[2] = process.hrtime.bigint();
  fs.writeSync(witness, header, 0, header.byteLength, 0);
}

function called() {
  if (calls++ === 0) {
    header[1] = process.hrtime.bigint();
    flush();
  }
  if (!flushing) {
    flushing = true;
    setTimeout(flush, FLUSH_MILLISECONDS);
  }
}

const taskList = {
  nothing: async () => {
    called();
  },
  timed: async (payload) => {
    cell[0] = process.hrtime.bigint();
    fs.writeSync(witness, cell, 0, 8, 8 * (HEADER_CELLS + payload.n));
    called();
  },
};

const concurrency = number("GRAPHILE_CONCURRENCY");
const preset = {
  worker: {
    connectionString: `postgres://${process.env.PGUSER}@/${process.env.PGDATABASE}?host=${process.env.PGHOST}&port=${process.env.PGPORT}`,
    concurrentJobs: concurrency,
    maxPoolSize: concurrency + 1,
    localQueue: { size: number("GRAPHILE_LOCAL_QUEUE") },
    completeJobBatchDelay: number("GRAPHILE_COMPLETE_DELAY"),
    failJobBatchDelay: number("GRAPHILE_COMPLETE_DELAY"),
    // Its default logger writes a line for each job that succeeds; its own benchmark turns these off as well.
    logger: new Logger(() => (level, message) => {
      if (level === "error" || level === "warning") console.error(message);
    }),
  },
};

if (process.argv[2] === "migrate") {
  await runMigrations({ preset });
} else {
  const runner = await run({ preset, taskList });
  await runner.promise;
}
