// Brings Node and the npm packages this project needs, then runs one of its commands.
// Plain JavaScript, because the Node that is on the machine may be too old for anything else.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const TOOLS = join(ROOT, '.tools');
const BIN = join(TOOLS, 'node_modules', '.bin');
const NODE_MAJOR = 24;
const TOOL_PACKAGES = ['node@24.21.0', 'pnpm@12.21.0'];
const ATTEMPTS = 4;

const [command, ...args] = process.argv.slice(2);
const entry = join(ROOT, 'deploy', 'local', `${command}.ts`);
if (!command || !existsSync(entry)) {
  console.error(`bootstrap: no command ${command}; expected demo, test, check, bench, faults or generate`);
  process.exit(2);
}

/** Runs a step; a registry that times out is asked again. */
function step(why, program, stepArgs, options = {}) {
  console.error(`\u2022 ${why}`);
  for (let attempt = 1; ; attempt++) {
    const result = spawnSync(program, stepArgs, { cwd: ROOT, encoding: 'utf8', ...options });
    if (result.status === 0) return;
    if (attempt === ATTEMPTS) {
      console.error(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`);
      console.error(`bootstrap: ${program} ${stepArgs.join(' ')} failed ${ATTEMPTS} times`);
      process.exit(1);
    }
    console.error(`  attempt ${attempt} failed, trying again`);
  }
}

/** Does a step again only when what it depends on has changed. */
function once(stamp, content, run) {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === content) return;
  run();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, content);
}

const hostIsNew = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR;
const tools = hostIsNew ? TOOL_PACKAGES.slice(1) : TOOL_PACKAGES;
once(join(TOOLS, 'installed'), tools.join(' '), () => {
  mkdirSync(TOOLS, { recursive: true });
  step(`installing ${tools.join(' and ')} into .tools`, 'npm', [
    ...['install', '--prefix', TOOLS, '--no-audit', '--no-fund', '--no-save'],
    ...tools,
  ]);
});

const path = [BIN, join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
const env = { ...process.env, PATH: path };
const node = hostIsNew ? process.execPath : join(BIN, 'node');
const lock = createHash('sha256')
  .update(readFileSync(join(ROOT, 'pnpm-lock.yaml')))
  .digest('hex');
once(join(ROOT, 'node_modules', '.callmesh-lock'), lock, () =>
  step('installing npm packages', 'pnpm', ['install', '--frozen-lockfile'], { env }),
);

const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry, ...args], {
  cwd: ROOT,
  env,
  stdio: 'inherit',
});
// The child shuts its processes down in order; wait for it whatever the terminal sends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
