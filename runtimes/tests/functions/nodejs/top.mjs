const answer = await Promise.resolve("awaited at top level"); export const handler = async () => answer;
