// Says hello. Handler: index.handler
exports.handler = async (event, context) => {
  const name = event?.name ?? 'world';
  console.log('saying hello to', name);
  return { message: `Hello, ${name}!`, runtime: process.env.AWS_EXECUTION_ENV, request: context.awsRequestId };
};
