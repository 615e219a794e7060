// Holds the lock of a directory until it is killed.

import { nodeFileSystem } from '../../src/disk-queue/node-file-system.ts';

nodeFileSystem.lock(process.argv[2]!);
process.send?.('held');
setInterval(() => {}, 1_000_000);
