export { type RelayIo, relayCommand } from './command.ts';
