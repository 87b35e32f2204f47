export const handler = async (event) => ({ event, module: import.meta.url.endsWith("module.mjs") });
