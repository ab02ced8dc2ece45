/*
 * The process's first lines, and all of its own that run before the server is read, which takes most of a second: as
 * the first process of a container, a signal that nobody listens to yet is lost. So nothing is imported above.
 */
// Ctrl-C reaches us twice when npm started us: from the terminal and from npm. Both mean the same.
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopping.abort());

const { serve } = await import('./serve.ts');
await serve(stopping.signal);

export {};
