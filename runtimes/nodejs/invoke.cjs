// Event after event, for handlers that return a promise, call back, or use the methods of their context.
//
//   next ──▶ handler ──▶ promise settled, callback, done ──▶ response or error ──▶ next
//                   └──▶ nothing left to do and no answer ──▶ `null` is the response
//
// A result given to the callback waits until the event loop is empty, unless the function says otherwise: `beforeExit`
// is when that is so.
'use strict';

const log = require('./log.cjs');
const { contextOf, fresh } = require('./context.cjs');

/** `hooks` says what to do about uncaught errors; it is changed with each invoke. */
exports.serve = (connection, handler, hooks) => {
  const next = () => connection.next((...event) => fresh(() => invoke(connection, handler, hooks, ...event, next)));
  setImmediate(next);
};

function invoke(connection, handler, hooks, headers, body, next) {
  const id = headers['lambda-runtime-aws-request-id'];
  log.enter(id, headers['lambda-runtime-aws-tenant-id']);
  const again = () => setImmediate(next);
  const { callback, context, abandon } = answers(connection, id, again);
  hooks.uncaught = (error, code) => postError(connection, id, error, () => process.exit(code));
  hooks.idle(() => {
    abandon();
    postResult(connection, id, null, again);
  });
  try {
    const result = handler(JSON.parse(body.utf8Slice()), contextOf(headers, context), callback);
    if (typeof result?.then === 'function') result.then(context.succeed, context.fail).catch(context.fail);
  } catch (error) {
    callback(error);
  }

  /** The ways to answer. The first one used counts. */
  function answers() {
    let answered = false; // By one of the ways below.
    let posted = false;
    let waits = true;
    const complete = (result) => {
      if (posted) {
        console.error(
          'Invocation has already been reported as done. Cannot call complete more than once per invocation.',
        );
        return;
      }
      posted = true;
      postResult(connection, id, result, again);
    };
    const failed = (error) => {
      log.error('Invoke Error', error);
      postError(connection, id, error, again);
    };
    const done = (error, result) => {
      hooks.idle();
      if (error !== undefined && error !== null) failed(error);
      else complete(result);
    };
    const once = (way) => (...values) => {
      if (answered) return;
      // If it throws (the result is no JSON) there has been no answer yet.
      way(...values);
      answered = true;
    };
    const context = {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
      succeed: once((result) => done(null, result)),
      fail: once((error) => done(error ?? 'handled', null)),
      done: once(done),
    };
    const callback = once((error, result) => {
      if (error !== undefined && error !== null) return done(error);
      hooks.idle();
      if (!waits) complete(result);
      else hooks.idle(() => setImmediate(complete, result));
    });
    return { callback, context, abandon: () => (posted = true) };
  }
}

/** Throws if the result has no form in JSON; the error is a runtime's of that name, if one is given. */
function postResult(connection, id, result, done, errorName) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch {
    const message = 'Unable to stringify response body';
    if (errorName) throw require('./errors.cjs').ofRuntime(errorName, message);
    throw new Error(message);
  }
  connection.post(`invocation/${encodeURIComponent(id)}/response`, text, '', (status) => {
    report(status, 'success response');
    done();
  });
}

function postError(connection, id, error, done) {
  const errors = require('./errors.cjs');
  const cause = errors.cause(error);
  const more = cause === '' ? '' : `Lambda-Runtime-Function-Xray-Error-Cause: ${cause}\r\n`;
  connection.post(`invocation/${encodeURIComponent(id)}/error`, JSON.stringify(errors.body(error)), more, (status) => {
    report(status, 'failure');
    done();
  });
}

/** A refused answer is the platform's to tell the caller of; the function's log gets a line. */
function report(status, what) {
  if (status < 300) return;
  const line = `[ERROR] [${Date.now()}] LAMBDA_RUNTIME Failed to post handler ${what}. Http response code: ${status}.`;
  require('fs').writeSync(2, `${line}\n`);
}

exports.postError = postError;
exports.postResult = postResult;
exports.report = report;
