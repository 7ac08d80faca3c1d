#!/usr/bin/env node
// The command line's entry: TypeScript runs as it is in Node 24.
await import('../src/main.ts');
