import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig } from 'vite';

/*
 * The pages for browsers, each built by itself (`vite build --mode …`, as `npm run pages` does): the console, the pages of
 * the MFA step, and the IDE, which production does not serve. What one page uses never makes another one larger.
 * Addresses are relative, so that they hold behind a PUBLIC_URL with a path.
 */
const pages = {
  console: { entry: 'index.html', assets: 'assets' },
  mfa: { entry: 'mfa/index.html', assets: 'mfa/assets' },
  graphiql: { entry: 'graphiql.html', assets: 'graphiql/assets' },
};

// Whoever builds, also a test: React has a slower, larger build for development.
process.env.NODE_ENV = 'production';

export default defineConfig(({ mode }) => {
  const name = mode in pages ? mode : 'console';
  const page = pages[name];
  const root = join(import.meta.dirname, 'src/console');
  const folder = join(import.meta.dirname, 'dist', name);
  return {
    root,
    base: './',
    publicDir: false,
    clearScreen: false,
    logLevel: 'warn',
    // What development alone is served need not be small.
    plugins: [finish(folder, name === 'graphiql' ? null : page.assets)],
    build: {
      outDir: folder,
      assetsDir: page.assets,
      emptyOutDir: true,
      target: 'es2022',
      // No data: URIs: the content security policy of a page need not allow them.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 5000,
      rollupOptions: {
        input: join(root, page.entry),
        // On a machine that is busy compressing takes long, and nobody can help it.
        checks: { pluginTimings: false },
        onwarn(warning, warn) {
          // "use client" and the like in libraries: nothing is rendered on a server here.
          if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
        },
      },
    },
  };
});

/** Compresses what is served, so that the server need not, and leaves `.built` last: a build cut short is made anew. */
function finish(folder, assets) {
  return {
    name: 'finish',
    apply: 'build',
    async closeBundle(error) {
      if (error) return;
      if (assets) await compressAll(join(folder, assets));
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
