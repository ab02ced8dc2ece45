import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { runCommand } from './run-command.ts';

/*
 * npm run sbom: what is installed for production, as CycloneDX. npm's own `--omit dev` also leaves out what
 * production shares with a development tool, so everything is asked for and development alone taken out.
 */

interface Bill {
  components: { 'bom-ref': string; properties?: { name: string; value: string }[] }[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

const help = `Prints a bill of what is installed for production, as CycloneDX.

  npm run -s sbom

  --help   this text
`;

await runCommand({ name: 'sbom', help, options: {} }, async () => {
  const asked = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
  const { stdout } = await promisify(execFile)('npm', asked, { maxBuffer: 64 * 1024 * 1024 });
  const bill = JSON.parse(stdout) as Bill;

  const isForDevelopment = ({ properties = [] }: Bill['components'][number]): boolean =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
  const left = new Set(bill.components.filter(isForDevelopment).map((component) => component['bom-ref']));
  const isKept = (ref: string): boolean => !left.has(ref);

  const components = bill.components.filter((component) => isKept(component['bom-ref']));
  const dependencies = bill.dependencies
    .filter(({ ref }) => isKept(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(isKept) }));
  console.log(JSON.stringify({ ...bill, components, dependencies }, null, 2));
});
