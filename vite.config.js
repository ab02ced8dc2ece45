import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig } from 'vite';

/*
 * The pages for browsers: the console and the hosted pages (`vite build`), and the IDE, which production does not
 * serve (`vite build --mode graphiql`). Addresses are relative, so that they hold behind a PUBLIC_URL with a path.
 */
const pages = {
  console: { folder: 'dist/console', assets: 'assets', entries: ['index.html', 'mfa/index.html'] },
  graphiql: { folder: 'dist/graphiql', assets: 'graphiql/assets', entries: ['graphiql.html'] },
};

// Whoever builds, also a test: React has a slower, larger build for development.
process.env.NODE_ENV = 'production';

export default defineConfig(({ mode }) => {
  const { folder, assets, entries } = mode === 'graphiql' ? pages.graphiql : pages.console;
  const root = join(import.meta.dirname, 'src/console');
  return {
    root,
    base: './',
    publicDir: false,
    clearScreen: false,
    logLevel: 'warn',
    plugins: [finish(join(import.meta.dirname, folder), mode !== 'graphiql' && assets)],
    build: {
      outDir: join(import.meta.dirname, folder),
      assetsDir: assets,
      emptyOutDir: true,
      target: 'es2022',
      // No data: URIs: the content security policy of a page need not allow them.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 5000,
      rollupOptions: {
        input: entries.map((entry) => join(root, entry)),
        onwarn(warning, warn) {
          // "use client" and the like in libraries: nothing is rendered on a server here.
          if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
        },
      },
    },
  };
});

/** Compresses what is served, so that the server need not, and leaves `.built` last: a build cut short is made anew. */
function finish(folder, compressed) {
  return {
    name: 'finish',
    apply: 'build',
    async closeBundle(error) {
      if (error) return;
      if (compressed) await compressAll(join(folder, compressed));
      await writeFile(join(folder, '.built'), '');
    },
  };
}

async function compressAll(folder) {
  const names = (await readdir(folder)).filter((name) => /\.(js|css|svg)$/.test(name));
  await Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(folder, name));
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
      await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(bytes, { params }));
      await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(bytes, { level: 9 }));
    }),
  );
}
