setTimeout(() => { throw new Error("while loading"); }, 1); await new Promise((r) => setTimeout(r, 500)); export const handler = 1;
