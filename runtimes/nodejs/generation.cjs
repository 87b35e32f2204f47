// From version 24 on Lambda's Node.js knows promises only, and leaves errors nobody caught to Node.js.
'use strict';

exports.promisesOnly = Number(process.versions.node.split('.')[0]) >= 24;
