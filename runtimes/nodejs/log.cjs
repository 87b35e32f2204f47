// `console` as functions on Lambda know it: each message with time, request id and level; as a frame, so that it is one
// event with its line breaks, or as a line on standard output if the platform takes no frames.
'use strict';

const fs = require('fs');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const TENANT_ID = Symbol.for('aws.lambda.runtime.tenantId');

/** A frame begins with its kind, the message's length and the time in microseconds, big-endian. */
const FRAME_KIND = 0xa55a0002;
const TEXT_BIT = 1;
const LEVEL_SHIFT = 2;
const HEADER_BYTES = 16;

/** Where frames go. The function is not to find it. */
const descriptor = takeDescriptor();
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

function takeDescriptor() {
  const given = process.env._LAMBDA_TELEMETRY_LOG_FD;
  if (given === undefined) return undefined;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  return /^\d{1,9}$/.test(given) ? Number(given) : undefined;
}

function log(level, message, parameters) {
  const now = new Date();
  const requestId = globalThis[REQUEST_ID];
  const time = now.toISOString();
  const text = json
    ? jsonLine(time, requestId, level, message, parameters)
    : `${time}\t${requestId}\t${level}\t${format(message, parameters)}`;
  if (descriptor === undefined) {
    // A line end within a message would make two log events of it.
    write(1, Buffer.from(`${text.replace(/\n/g, '\r')}\n`));
  } else {
    write(descriptor, frame(level, now, json ? text : `${text}\n`));
  }
}

/** In one piece: what others write into the same pipe stays in front or behind. */
function frame(level, now, text) {
  const data = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(text));
  data.writeUInt32BE((FRAME_KIND | (LEVELS[level] << LEVEL_SHIFT) | (json ? 0 : TEXT_BIT)) >>> 0, 0);
  data.writeUInt32BE(data.length - HEADER_BYTES, 4);
  data.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
  data.write(text, HEADER_BYTES);
  return data;
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
function write(to, data) {
  let rest = data;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(to, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      // The function made standard output non-blocking by using `process.stdout`, and the reader is behind.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
