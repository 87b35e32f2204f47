// Handlers that write their answer to a stream: `awslambda.streamifyResponse(async (event, stream, context) => …)`.
//
// The response is a chunked post that is open while the handler runs. An error after it has begun can't be posted as an
// error any more: it goes into the trailers.
'use strict';

const { Writable } = require('stream');

const log = require('./log.cjs');
const { contextOf, fresh } = require('./context.cjs');
const { promisesOnly } = require('./generation.cjs');
const { HIGH_WATER_MARK } = require('./handler.cjs');
const { report } = require('./invoke.cjs');

const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';

/** `hooks` says what to do about uncaught errors; it is changed with each invoke. */
exports.serve = (connection, handler, hooks) => {
  const next = () => connection.next((...event) => fresh(() => invoke(connection, handler, hooks, ...event, again)));
  const again = () => setImmediate(next);
  setImmediate(next);
};

/** What the handler writes to. The response begins with the first write, so that its type can be set before. */
class ResponseStream extends Writable {
  #connection;
  #path;
  #type = 'application/octet-stream';
  #begun = false;
  #answered;
  #trailers = '';

  constructor(connection, id, highWaterMark) {
    super({ highWaterMark, decodeStrings: true });
    this.#connection = connection;
    this.#path = `invocation/${encodeURIComponent(id)}/response`;
    /** Resolved when the platform has answered. */
    this.answered = new Promise((resolve) => (this.#answered = resolve));
  }

  setContentType(type) {
    if (this.#begun) {
      throw require('./errors.cjs').ofRuntime('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    }
    this.#type = type;
  }

  /** Beyond what streams take, anything that has a form in JSON. */
  write(chunk, encoding, callback) {
    const data = typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
    if (!this.#begun) {
      this.#begin();
      this._onBeforeFirstWrite?.((first) => super.write(first));
    }
    return super.write(data, encoding, callback);
  }

  /** As with AWS's stream, what is given to `end` alone has nothing written before it; up to Node.js 23 nothing is returned. */
  end(chunk, encoding, callback) {
    this.#begin();
    const self = super.end(chunk, encoding, callback);
    return promisesOnly ? self : undefined;
  }

  /** Ends the response with an error, which the caller finds behind what was written so far. */
  fail(error, done) {
    this.answered.then(done);
    if (this.writableEnded) return; // Complete already; only the log tells of the error.
    const body = require('./errors.cjs').body(error);
    const text = Buffer.from(JSON.stringify(body)).toString('base64');
    this.#trailers = `${ERROR_TYPE}: ${body.errorType}\r\n${ERROR_BODY}: ${text}\r\n`;
    this.end();
  }

  _write(data, _encoding, done) {
    // An empty chunk would be the end.
    if (data.length === 0) return void setImmediate(done);
    this.#connection.write(data, done);
  }

  _final(done) {
    this.#begin();
    this.#connection.end(this.#trailers);
    done();
  }

  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    const headers =
      `Content-Type: ${this.#type}\r\n` +
      'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
      `Trailer: ${ERROR_TYPE}, ${ERROR_BODY}\r\n`;
    this.#connection.start(this.#path, headers, (status) => {
      report(status, 'success response');
      this.#answered();
    });
  }
}

async function invoke(connection, handler, hooks, headers, body, again) {
  const id = headers['lambda-runtime-aws-request-id'];
  log.enter(id, headers['lambda-runtime-aws-tenant-id']);
  const context = promisesOnly ? { xRayTraceId: headers['lambda-runtime-trace-id'] } : waiting();
  const stream = new ResponseStream(connection, id, Number(handler[HIGH_WATER_MARK]) || undefined);
  const fail = (error) => {
    log.error('Invoke Error', error);
    stream.fail(error, again);
  };
  hooks.uncaught = (error, code) => stream.fail(error, () => process.exit(code));
  hooks.idle(again);
  try {
    const running = handler(JSON.parse(body.utf8Slice()), stream, contextOf(headers, context));
    if (typeof running?.then !== 'function') {
      const complaint = 'Streaming does not support non-async handlers.';
      return fail(promisesOnly ? new Error(complaint) : complaint);
    }
    if ((await running) !== undefined) console.warn('Streaming handlers ignore return values.');
    await stream.answered;
    hooks.idle();
    if (context.callbackWaitsForEmptyEventLoop) hooks.idle(again);
    else again();
  } catch (error) {
    fail(error);
  }
}

/** A context whose function may say that nothing needs to be waited for. */
function waiting() {
  let waits = true;
  return {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
  };
}
