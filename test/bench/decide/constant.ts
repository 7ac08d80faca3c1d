import { readFileSync } from 'node:fs';
import Fastify from 'fastify';

// Plain fastify: parses the question as JSON and answers a constant. Arguments: port, file with the answer.
const [port = '0', file = ''] = process.argv.slice(2);
const answer = readFileSync(file, 'utf8');
const server = Fastify();
server.post('/v1/routes/session', (_request, reply) => reply.type('application/json').send(answer));
await server.listen({ host: '127.0.0.1', port: Number(port) });
process.stdout.write(`${JSON.stringify({ msg: 'ready' })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void server.close().then(() => process.exit(0)));
