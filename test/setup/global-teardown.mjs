export default async function globalTeardown() {
  await globalThis.cufflinkTestRun?.end();
}
