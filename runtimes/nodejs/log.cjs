// `console` as functions on Lambda know it: each message with time, request id and level, on standard output.
'use strict';

const fs = require('fs');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const TENANT_ID = Symbol.for('aws.lambda.runtime.tenantId');

const json = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';

/** Replaces the methods of `console`. `outside` stands for the request id while there is no invoke. */
exports.patch = (outside) => {
  exports.enter(outside);
  const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
  for (const [method, level] of Object.entries(METHODS)) {
    const heard = LEVELS[level] >= least || level === 'FATAL';
    console[method] = heard ? (message, ...parameters) => log(level, message, parameters) : () => {};
  }
  console.log = console.info;
};

/** Says which invoke the messages to come belong to. */
exports.enter = (requestId, tenantId) => {
  globalThis[REQUEST_ID] = requestId;
  globalThis[TENANT_ID] = tenantId;
};

/** Logs an error that ended an invoke or the process. */
exports.error = (what, error) => {
  const { asError, details } = require('./errors.cjs');
  if (json) console.error(asError(error));
  else console.error(what, `\t${details(asError(error))}`);
};

function log(level, message, parameters) {
  const time = new Date().toISOString();
  const requestId = globalThis[REQUEST_ID];
  const text = json
    ? jsonLine(time, requestId, level, message, parameters)
    : `${time}\t${requestId}\t${level}\t${format(message, parameters)}`;
  // A line end within a message would make two log events of it.
  write(`${text.replace(/\n/g, '\r')}\n`);
}

function format(message, parameters) {
  if (typeof message === 'string' && parameters.length === 0) return message;
  return require('util').format(message, ...parameters);
}

function jsonLine(timestamp, requestId, level, message, parameters) {
  const line = { timestamp, level, requestId };
  const tenantId = globalThis[TENANT_ID];
  if (tenantId !== undefined && tenantId !== null) line.tenantId = tenantId;
  if (parameters.length === 0) {
    line.message = message;
    try {
      return JSON.stringify(line, (_, value) => (value instanceof Error ? { ...described(value), ...value } : value));
    } catch {
      line.message = format(message, [undefined]).replace(/ undefined$/, '');
      return JSON.stringify(line);
    }
  }
  line.message = format(message, parameters);
  const error = [message, ...parameters].find((value) => value instanceof Error);
  if (error) Object.assign(line, described(error));
  return JSON.stringify(line);
}

function described(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

/** Writes all of it before it returns, so that nothing is lost however the process ends. */
function write(text) {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      // The function made standard output non-blocking by using `process.stdout`, and the reader is behind.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
