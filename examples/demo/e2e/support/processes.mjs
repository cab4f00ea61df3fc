// Starts programs, and makes sure that none outlives the tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const running = new Set();

// A test that fails, or is stopped for taking too long, still leaves nothing behind.
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const STOP_MILLIS = 5_000;

/** The value of an environment variable that `cargo xtask test` sets. */
export const fromXtask = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start these tests with \`cargo xtask test\``);
  return value;
};

/** A port that was free a moment ago, for a program that must be told one. */
export const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
};

/**
 * Starts `program` and gives `{ output(), ended, stop(), kill() }`. `output()` is all it printed so far, on
 * both streams; `ended` says whether it is gone.
 */
export const launch = (program, args) => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let text = "";
  const launched = {
    ended: false,
    output: () => text,
    /** SIGTERM, and SIGKILL if that is not enough. Gives the exit status, null after a signal. */
    stop: async () => {
      if (launched.ended) return child.exitCode;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const status = await Promise.race([gone, sleep(STOP_MILLIS, undefined, { ref: false })]);
      if (status === undefined) child.kill("SIGKILL");
      return (await gone)[0];
    },
    /** SIGKILL: it has no time to put anything in order. */
    kill: async () => {
      if (launched.ended) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => { text += chunk; });
  const gone = () => {
    launched.ended = true;
    running.delete(child);
  };
  child.once("exit", gone);
  child.once("error", (error) => {
    text += `${error}\n`;
    gone();
  });
  return launched;
};

/** Calls `look` until it gives something other than undefined, and gives that. */
export const until = async (what, look, { seconds = 20, everyMillis = 100 } = {}) => {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what}: still not so after ${seconds} seconds`);
    await sleep(everyMillis);
  }
};

/** Waits for a line in the program's output, and gives the match. */
export const untilPrinted = (launched, pattern) =>
  until(`output like ${pattern}`, () => {
    const match = pattern.exec(launched.output());
    if (!match && launched.ended) throw new Error(`it ended, having printed:\n${launched.output()}`);
    return match ?? undefined;
  });

/**
 * Keeps what was started: `add(thing)` gives the thing back, and `stop()` stops all, the last first.
 */
export const keeper = () => {
  const kept = [];
  return {
    add: (thing) => {
      kept.push(thing);
      return thing;
    },
    stop: async () => {
      while (kept.length > 0) await kept.pop().stop();
    },
  };
};
