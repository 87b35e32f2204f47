export default { handler: async () => "by default" };
