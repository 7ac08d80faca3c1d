import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ROOT } from '@callmesh/local';
import { Copy, DockerfileParser, type Instruction } from 'dockerfile-ast';
import { afterAll, describe, expect, it } from 'vitest';

const images = ['services', 'kamailio'] as const;
const fileOf = (image: string) => join(ROOT, 'deploy/images', image, 'Dockerfile');
const instructionsOf = (image: string): Instruction[] =>
  DockerfileParser.parse(readFileSync(fileOf(image), 'utf8')).getInstructions();

/** Operands of an instruction without its options. */
const operands = (instruction: Instruction) =>
  instruction
    .getArguments()
    .map((argument) => argument.getValue())
    .filter((value) => !value.startsWith('--'));
/** The last stage: what runs. */
const lastStage = (image: string) => {
  const all = instructionsOf(image);
  return all.slice(all.findLastIndex((instruction) => instruction.getKeyword() === 'FROM'));
};
const withKeyword = (instructions: readonly Instruction[], keyword: string) =>
  instructions.filter((instruction) => instruction.getKeyword() === keyword);
const fromStage = (instruction: Instruction) =>
  instruction instanceof Copy && instruction.getFromFlag() !== null;

describe.each(images)('the image %s', (image) => {
  it('is made in stages, of bases with a tag', () => {
    const bases = withKeyword(instructionsOf(image), 'FROM').map((instruction) => operands(instruction)[0]!);
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/:[\w.-]+$/);
    for (const base of bases) expect(base).not.toMatch(/:latest$/);
  });

  it('copies what is there', () => {
    for (const instruction of withKeyword(instructionsOf(image), 'COPY')) {
      if (fromStage(instruction)) continue;
      for (const from of operands(instruction).slice(0, -1))
        expect(existsSync(join(ROOT, from)), from).toBe(true);
    }
  });

  it('copies nothing that .dockerignore keeps back', () => {
    const kept = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    const sent = kept.map((line) => line.slice(1));
    for (const instruction of withKeyword(instructionsOf(image), 'COPY')) {
      if (fromStage(instruction)) continue;
      for (const from of operands(instruction).slice(0, -1))
        expect(
          sent.some((path) => from === path || from.startsWith(`${path}/`)),
          from,
        ).toBe(true);
    }
  });

  it('runs as somebody who is not root, and says how it is', () => {
    const stage = lastStage(image);
    expect(operands(withKeyword(stage, 'USER').at(-1)!)).toEqual(['1000:1000']);
    expect(withKeyword(stage, 'HEALTHCHECK')).toHaveLength(1);
    expect(withKeyword(stage, 'ENTRYPOINT')).toHaveLength(1);
    expect(stage.findLastIndex((one) => one.getKeyword() === 'USER')).toBeGreaterThan(
      stage.findLastIndex((one) => ['RUN', 'COPY'].includes(one.getKeyword())),
    );
  });

  it('has no compiler and no package manager of its own in what runs', () => {
    const installed = withKeyword(lastStage(image), 'RUN').map(
      (instruction) => instruction.getRawArgumentsContent() ?? '',
    );
    for (const text of installed)
      expect(text).not.toMatch(/\b(gcc|make|bison|flex|dpkg-dev|-dev)\b|npm install|pnpm/);
  });

  it('has scripts the shell can read', () => {
    const scripts = globSync(join(ROOT, 'deploy/images', image, '*')).filter(
      (file) => !file.endsWith('Dockerfile'),
    );
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) execFileSync('sh', ['-n', script]);
  });
});

describe('the image of the services', () => {
  const app = mkdtempSync(join(tmpdir(), 'callmesh-image-'));
  afterAll(() => rmSync(app, { recursive: true, force: true }));

  it('knows every service of the workspace', () => {
    const copied = withKeyword(instructionsOf('services'), 'COPY').flatMap(operands);
    const packages = globSync(join(ROOT, 'services/*/package.json')).map((file) =>
      file.slice(ROOT.length + 1),
    );
    expect(packages.filter((file) => !copied.includes(file))).toEqual([]);
  });

  it('runs the command line with the packages it installs', () => {
    const stage = instructionsOf('services');
    const first = stage.slice(
      0,
      stage.findLastIndex((instruction) => instruction.getKeyword() === 'FROM'),
    );
    for (const instruction of withKeyword(first, 'COPY')) {
      const paths = operands(instruction);
      const to = paths.at(-1)!;
      for (const from of paths.slice(0, -1)) cpSync(join(ROOT, from), join(app, to, basename(from)));
    }
    const install = withKeyword(first, 'RUN')
      .map((one) => one.getRawArgumentsContent() ?? '')
      .find((text) => text.startsWith('pnpm install'))!;
    execFileSync('sh', ['-c', `${install} --prefer-offline`], { cwd: app, stdio: 'pipe' });
    // What the last stage copies over it; folders of this workspace's own packages stay out, as .dockerignore has it.
    for (const folder of ['proto', 'services'])
      cpSync(join(ROOT, folder), join(app, folder), {
        recursive: true,
        filter: (path) => !path.includes('node_modules'),
      });
    const help = execFileSync(process.execPath, [join(app, 'services/cli/bin/callmesh.mjs'), '--help'], {
      encoding: 'utf8',
    });
    expect(help).toContain('Usage: callmesh');
  });
});
