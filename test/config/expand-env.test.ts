// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what this is about
import { describe, expect, it } from 'vitest';
import { ConfigError, expandEnv, loadConfig } from '../../src/config/index.ts';

const ENV = { X: 'value', EMPTY: '', HOST: 'h' };

describe('expansion of the environment', () => {
  it.each([
    ['a ${X} b', 'a value b'],
    ['${NONE}', ''],
    ['${NONE:3200}', '3200'],
    ['${NONE:default}', 'default'],
    ['${X:default}', 'value'],
    ['${EMPTY:-d}', 'd'],
    ['${NONE:=d}', 'd'],
    ['${NONE=d}', 'd'],
    ['${NONE:-}', ''],
    ['${NONE:-${X}}', 'value'],
    ['${NONE:-http://${HOST}:1/a}', 'http://h:1/a'],
    ['${NONE:-${ALSO:-${X}}}}', 'value}'],
    ['$X', '$X'],
    ['$$', '$'],
    ['$${X}', '${X}'],
    ['replacement: $1', 'replacement: $1'],
    ['^(.*)$', '^(.*)$'],
    ['# ${1} in a comment', '# ${1} in a comment'],
  ])('%s becomes %s', (text, expected) => {
    expect(expandEnv(text, ENV)).toMatchObject({ text: expected, problems: [] });
  });

  it('does not expand what a variable holds', () => {
    expect(expandEnv('${X}', { X: '${Y} $$' }).text).toBe('${Y} $$');
  });

  it.each([
    ['${1}', 'write $${1}'],
    ['${env:FOO}', 'write ${FOO}'],
    ['${X:?needed}', '":?"'],
    ['${X:+other}', '":+"'],
    ['${X-d}', 'write ${X:-d}'],
    ['${X:0:1}', 'substrings'],
    ['${X^^}', 'only defaults'],
    ['${X/a/b}', 'only defaults'],
    ['${a.b}', 'only defaults'],
    ['${}', 'no variable'],
    ['${X', 'no closing brace'],
    ['${NONE:-${1}}', 'write $${1}'],
  ])('refuses %s', (text, hint) => {
    const { problems } = expandEnv(`ab ${text}`, ENV);
    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toContain(hint);
  });

  it('tells the place of a refused form', () => {
    const text = 'server:\n  log_level: ${env:LEVEL}\n';
    expect(() => loadConfig({ text, fileName: 'c.yaml', expandEnv: true, env: {} })).toThrow(
      /^c\.yaml:2:14: \$\{env:LEVEL\}: write \$\{LEVEL\}$/m,
    );
  });

  it('expands before YAML, so a variable can hold a number', () => {
    const { config } = loadConfig({
      text: 'server: {http_listen_port: "${PORT:3200}"}',
      expandEnv: true,
      env: { PORT: '9' },
    });
    expect(config.server.httpListenPort).toBe(9);
  });

  it('says that a variable was left alone where expansion is off', () => {
    const text = 'server:\n  http_listen_address: ${HOST}\n';
    expect(loadConfig({ text, fileName: 'c.yaml' }).notes).toEqual([
      expect.stringMatching(/^c\.yaml:2:24: \$\{HOST\}.*-config\.expand-env/),
    ]);
  });

  it('says of each variable that has no value and no default where it is taken as empty', () => {
    const text = ['a: ${LEVEL:-${ALSO}}', 'b: ${HOST}${NONE}', '# ${IN_A_COMMENT}', 'c: ${X:-${UNUSED}}'].join('\n');
    const env = { HOST: 'h', EMPTY: '', X: '1' };
    const { unset } = expandEnv(text, env);
    expect(unset).toEqual([
      { name: 'ALSO', offset: text.indexOf('${ALSO}') },
      { name: 'NONE', offset: text.indexOf('${NONE}') },
    ]);
    const noted = loadConfig({
      text: 'server:\n  http_listen_address: ${HOST}${NONE}\n',
      fileName: 'c.yaml',
      expandEnv: true,
      env,
    });
    expect(noted.notes).toEqual([
      'c.yaml:2:31: ${NONE} is not set in the environment: it is taken as empty (a default is written ${NONE:-…})',
    ]);
    expect(noted.warnings).toEqual(noted.notes);
    const empty = loadConfig({ text: 'server:\n  http_listen_address: ${EMPTY}${NONE:-}\n', expandEnv: true, env });
    expect(empty.notes).toEqual([expect.stringContaining('http_listen_address: empty')]);
    expect(empty.warnings).toEqual([]);
  });

  it('keeps the places of the file: what a variable holds moves nothing', () => {
    const text = [
      'server: {http_listen_address: "${HOST}", log_levle: info}',
      'ledger: {path: ${LINES}}',
      'shards: {count: $$${COUNT}, own: $$}',
    ].join('\n');
    const env = { HOST: 'a-very-long-name.of.a.host', LINES: '"x\n  y"', COUNT: '1' };
    const linesOf = () => {
      try {
        loadConfig({ text, fileName: 'c.yaml', expandEnv: true, env });
      } catch (error) {
        return (error as ConfigError).problems.map(({ line, column, path }) => `${line}:${column} ${path}`);
      }
      return [];
    };
    expect(linesOf()).toEqual(['1:42 server.log_levle', '3:17 shards.count', '3:34 shards.own']);
  });

  it('expands the per-tenant file too', () => {
    const text = 'overrides: {per_tenant_override_config: t.yaml}';
    const readFile = () => 'overrides: {a: {metrics_generator: {processors: ["${P}"]}}}';
    expect(() => loadConfig({ text, readFile })).toThrow(ConfigError);
    expect(
      loadConfig({ text, readFile, expandEnv: true, env: { P: 'host-info' } }).config.overrides.tenants['a']!
        .metricsGenerator.processors,
    ).toEqual(['host-info']);
  });
});
