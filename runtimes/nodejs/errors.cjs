// What is reported about an error: to the caller, to the log, to X-Ray. Loaded with the first error.
'use strict';

const { promisesOnly } = require('./generation.cjs');

/** An error the runtime found. Its type is `Runtime.` and the name, its class is called by the name alone. */
exports.ofRuntime = (name, message) => {
  const Kind = { [name]: class extends Error {} }[name];
  Kind.prototype.name = `Runtime.${name}`;
  const error = new Kind(message);
  // Then it is among what the log tells of the error.
  if (promisesOnly) error.name = Kind.prototype.name;
  return error;
};

/** A promise of the function failed and nobody was listening. */
exports.unhandledRejection = (reason, promise) =>
  Object.assign(exports.ofRuntime('UnhandledPromiseRejection', messageOf(reason)), { reason, promise });

exports.asError = (value) => (value instanceof Error ? value : new Error(promisesOnly ? String(value) : value));

/** The body of an error post. */
exports.body = (error) => {
  try {
    if (error instanceof Error || (!promisesOnly && looksLikeError(error))) {
      const { name, message, stack } = error;
      return { errorType: printable(name), errorMessage: printable(message), trace: printable(stack).split('\n') };
    }
    const text = promisesOnly ? String(error) : error.toString();
    return { errorType: typeof error, errorMessage: text, trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, ' +
        'name, and stack',
    };
  }
};

/** The error with all it carries, as one line of JSON for the log. */
exports.details = (error) => {
  try {
    return JSON.stringify(error, (_, value) => (value instanceof Error ? carried(value) : value));
  } catch {
    return JSON.stringify(exports.body(error));
  }
};

/** The value of the header that tells X-Ray, empty if the error is beyond description. */
exports.cause = (error) => {
  try {
    const stack = printable(error.stack ?? '').split('\n').slice(1).map(frame);
    return JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: printable(error.name), message: printable(error.message), stack }],
      paths: [...new Set(stack.map((entry) => entry.path))],
    });
  } catch {
    return '';
  }
};

function messageOf(reason) {
  return reason === undefined ? undefined : String(reason);
}

function looksLikeError(value) {
  return [value?.name, value?.message, value?.stack].every((part) => typeof part === 'string' && part !== '');
}

/** A DEL in a header breaks the request. */
function printable(text) {
  return text?.replace(/\x7F/g, '%7F');
}

function carried(error) {
  const fields = { errorType: error.name, errorMessage: error.message, code: error.code, ...error };
  if (typeof error.stack === 'string') fields.stack = error.stack.split('\n');
  return fields;
}

/** `    at label (path:line:column)`, where label and brackets may be missing. */
function frame(text) {
  const words = text.trim().replace(/[()]/g, '').split(' ').slice(1);
  const [path, line] = (words.pop() ?? text.trim()).split(':');
  return { path, line: parseInt(line, 10), label: words.join(' ') || 'anonymous' };
}
