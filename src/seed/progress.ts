import type { WriteStream } from 'node:tty';
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** One more is done. */
  step(): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a line for each tenth. */
export const showProgress = (stream: WriteStream, total: number): Progress =>
  stream.isTTY ? bar(stream, total) : lines(stream, total);

/** How often the bar is told, in all: each time costs it more than a row costs us. */
const barUpdates = 500;

function bar(stream: WriteStream, total: number): Progress {
  const shown = new SingleBar(
    {
      stream,
      format: '{bar} {percentage} % of {total} rows, {eta_formatted} left',
      formatValue: (value, _options, type) => (type === 'total' ? counted(value) : String(value)),
      hideCursor: true,
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  shown.start(total, 0);
  const report = everySo(total, barUpdates, (done) => shown.update(done));
  return { step: report, stop: () => shown.stop() };
}

function lines(stream: WriteStream, total: number): Progress {
  const report = everySo(total, 10, (done) => {
    stream.write(`${Math.floor((done / total) * 100)} % of ${counted(total)} rows\n`);
  });
  return { step: report, stop() {} };
}

/** Counts steps and reports at the end of each of so many equal parts. */
function everySo(total: number, parts: number, report: (done: number) => void): () => void {
  let done = 0;
  let reported = 0;
  return () => {
    done += 1;
    const part = Math.floor((done * parts) / total);
    if (part === reported) return;
    reported = part;
    report(done);
  };
}

export const counted = (count: number): string => count.toLocaleString('en-US');
