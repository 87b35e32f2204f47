// Finds the function's handler: `folder/module.name.of.function`, in a file with or without one of the usual endings,
// CommonJS or ES module.
'use strict';

const fs = require('fs');
const path = require('path');

const { promisesOnly } = require('./generation.cjs');
const packages = require('./packages.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

exports.STREAMING = STREAMING;
exports.HIGH_WATER_MARK = HIGH_WATER_MARK;

/** Resolves to the handler, or rejects with what the caller of the function shall see. */
exports.load = async (root, name) => {
  if (name.includes('..')) {
    throw fault(
      'MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const slash = name.replace(/\/+$/, '').lastIndexOf('/') + 1;
  const [, module, fields] = /^([^.]*)\.(.*)$/.exec(name.slice(slash)) ?? [];
  if (module === undefined) throw fault('MalformedHandlerName', 'Bad handler');
  const folder = name.slice(0, slash);
  packages.prepare();
  const exported = await read(root, folder, module);
  const handler = fields.split('.').reduce((value, field) => value && value[field], exported) ?? byDefault(exported, fields);
  if (!handler) throw fault('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw fault('HandlerNotFound', `${name} is not a function`);
  return handler;
};

/** Whether the handler writes its answer to a stream. */
exports.isStreaming = (handler) => {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) return false;
  if (mode === 'response') return true;
  throw fault('MalformedStreamingHandler', 'Only response streaming is supported.');
};

function fault(kind, message) {
  return require('./errors.cjs').ofRuntime(kind, message);
}

function byDefault(exported, fields) {
  if (!promisesOnly) return undefined;
  return fields.split('.').reduce((value, field) => value && value[field], exported?.default);
}

async function read(root, folder, module) {
  try {
    return await find(root, folder, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const told = fault('UserCodeSyntaxError', String(error));
      if (promisesOnly) told.stack = error.stack;
      throw told;
    }
    if (error?.code === 'MODULE_NOT_FOUND') throw fault('ImportModuleError', String(error));
    throw error;
  }
}

async function find(root, folder, module) {
  const file = path.resolve(root, folder, module);
  if (fs.existsSync(file)) {
    const loaded = require(file);
    if (loaded) return loaded;
  }
  if (fs.existsSync(`${file}.js`)) {
    const loaded = isModule(path.dirname(file)) ? await packages.load(`${file}.js`) : require(`${file}.js`);
    if (loaded) return loaded;
  }
  if (fs.existsSync(`${file}.mjs`)) return packages.load(`${file}.mjs`);
  if (fs.existsSync(`${file}.cjs`)) {
    const loaded = require(`${file}.cjs`);
    if (loaded) return loaded;
  }
  return require(require.resolve(module, { paths: [root, folder] }));
}

/** Whether `.js` files in this folder are ES modules, by the nearest `package.json`. */
function isModule(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (fs.existsSync(file)) {
    try {
      const text = JSON.parse(fs.readFileSync(file));
      if (text) return text.type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === '/' ? false : isModule(path.dirname(folder));
}
