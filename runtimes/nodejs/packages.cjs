// Packages of layers and of the runtime for ES modules: Node.js itself searches NODE_PATH only for what is required.
//
// From Node.js 22.15 on a hook in this thread does it. Before, hooks have a thread of their own, which takes longer to
// start than all the rest: so it is started only for functions with packages in layers, or when an import has failed
// for a package that is there.
'use strict';

const fs = require('fs');
const path = require('path');

/** Behind the addresses of modules that are loaded a second time; the failure of the first is kept under the plain one. */
const AGAIN = '?again';

const [major, minor] = process.versions.node.split('.').map(Number);
const inThisThread = major > 22 || (major === 22 && minor >= 15);

let folders; // Those of NODE_PATH that are there.
let ready = false;

/** Before any of the function is loaded. */
exports.prepare = () => {
  if (!inThisThread || ready || look().length === 0) return;
  ready = true;
  const parents = folders.map(parentOf);
  require('module').registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !isPackage(specifier)) throw error;
        for (const parentURL of parents) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch {
            // Not there either.
          }
        }
        throw error;
      }
    },
  });
};

/** Imports a file of the function. */
exports.load = async (file) => {
  if (look().some((folder) => folder.startsWith('/opt/'))) register();
  try {
    return await import(file);
  } catch (error) {
    const [, name] = /^Cannot find package '([^']+)'/.exec(error?.message) ?? [];
    const there = name && folders.some((folder) => fs.existsSync(path.join(folder, name)));
    if (ready || error.code !== 'ERR_MODULE_NOT_FOUND' || !there) throw error;
    register(AGAIN);
    return import(`${file}${AGAIN}`);
  }
};

function register(suffix) {
  const { register: start } = require('module');
  if (ready || typeof start !== 'function') return;
  ready = true;
  const data = { parents: folders.map(parentOf), suffix };
  start(path.join(__dirname, 'packages.mjs'), address(`${__dirname}/`), { data });
}

function look() {
  const named = (process.env.NODE_PATH ?? '').split(':');
  return (folders ??= named.filter((folder) => folder.endsWith('/node_modules') && fs.existsSync(folder)));
}

/** What has this for its parent is looked for in the folder. */
function parentOf(folder) {
  return address(path.join(path.dirname(folder), 'any'));
}

function address(file) {
  return require('url').pathToFileURL(file).href;
}

function isPackage(specifier) {
  return !/^(\.{0,2}\/|#|[a-z]+:)/.test(specifier);
}
