/** Ends the process with code 7 while two threads are in a call and a third one loads. */
import { setTimeout } from 'node:timers/promises';
import { startBusyThread } from './busy.js';

const [file, delayMs] = [process.argv[2] as string, Number(process.argv[3])];
const threads = [startBusyThread(file), startBusyThread(file)];
await Promise.all(threads.map((thread) => thread.computing()));
startBusyThread(file);
await setTimeout(10 * delayMs);
process.exit(7);
