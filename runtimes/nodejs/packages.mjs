// The hooks of packages.cjs where they need a thread of their own.
let parents;
let suffix;

export function initialize(data) {
  ({ parents, suffix = '' } = data);
}

export async function resolve(specifier, context, next) {
  const found = await find(specifier, context, next);
  // Of CommonJS modules there is to be one, whether it is imported or required.
  const again = found.format === 'module' && found.url.startsWith('file:') && !found.url.includes('?');
  return again ? { ...found, url: found.url + suffix } : found;
}

async function find(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || /^(\.{0,2}\/|#|[a-z]+:)/.test(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch {
        // Not there either.
      }
    }
    throw error;
  }
}
