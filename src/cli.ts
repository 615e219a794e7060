// The commands, each loaded when it is called. Flags are Go-style (`-config.file=F`, `--config.file F`), as the users of Tempo and Prometheus know them; a command's
// own flags are its own business.

import process from 'node:process';
import { VERSION } from './version.ts';

const USAGE = `Usage: spanmill [flags]            run (everything embedded, unless a configuration says otherwise)
       spanmill demo [flags]       run with a live demo load
       spanmill generate [flags]   make a deterministic load of spans
       spanmill simulate …         which series would these spans make?
       spanmill bench fold …       what does the fold cost here?
       spanmill rw-relay [flags]   send a page of metrics on by remote-write

Flags of run and demo:
  -config.file FILE        configuration (YAML); without it everything runs with defaults, data in ./data
  -config.expand-env       replace \${VAR} and \${VAR:default} in it
  -config.verify           check the configuration, say what is wrong, and end
  -print-config            print the effective configuration (secrets hidden) and end
  -version                 print the version and end
  -target, -log.level, -server.http-listen-port, -ingest.topic …
                           Tempo's flags stand for the keys of the file, and win over it
`;

const io = { stdout: process.stdout, stderr: process.stderr, env: process.env };

async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'simulate':
      return (await import('./simulate/index.ts')).simulateCommand(rest, io);
    case 'bench':
      return (await import('./bench/fold.ts')).benchCommand(rest, io);
    case 'generate':
      return (await import('./generate/index.ts')).runGenerate(rest, io);
    case 'rw-relay':
      return (await import('./relay/index.ts')).relayCommand(rest, io);
    case 'demo':
      return (await import('./demo.ts')).demoCommand(rest, io);
    case 'help':
    case '-h':
    case '-help':
    case '--help':
      process.stdout.write(USAGE);
      return 0;
    case '-version':
    case '--version':
      process.stdout.write(`spanmill ${VERSION}\n`);
      return 0;
    default:
      if (command !== undefined && !command.startsWith('-')) {
        process.stderr.write(`spanmill: no command "${command}"\n${USAGE}`);
        return 2;
      }
      return (await import('./serve.ts')).serveCommand(args, io);
  }
}

process.exitCode = await main(process.argv.slice(2));
