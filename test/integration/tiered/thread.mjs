// Threads do not take over the loader of TypeScript: this one sets it up for itself.
import { register } from 'tsx/esm/api'

register()
await import('./thread.ts')
